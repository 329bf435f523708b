#include "cli/verify_text.h"

#include <algorithm>
#include <array>
#include <map>

#include "cli/time_text.h"
#include "core/yaml_values.h"
#include "format/json_text.h"

namespace opelog::cli {
namespace {

using seal::Completeness;
using seal::Finding;
using seal::Integrity;

constexpr std::array<const char*, 3> kJsonFiles = {"log", "time", "in"};

const char* colour_of(Integrity integrity, Completeness completeness) {
  if (integrity == Integrity::kAltered) return "\x1B[31m";
  if (integrity == Integrity::kUnproven || completeness != Completeness::kComplete) return "\x1B[33m";
  return "\x1B[32m";
}

std::string painted(const std::string& text, const char* colour, bool on) {
  return on ? colour + text + "\x1B[0m" : text;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string finding_text(const Finding& f) {
  std::string line = "    " + f.what + ": " + printable(f.text);
  if (f.from_us && f.to_us)
    line += "; " + format_length(*f.from_us) + " to " + format_length(*f.to_us) + " in the session";
  if (!f.command.empty()) line += ", after: " + printable(f.command);
  return line + "\n";
}

std::string finding_json(const Finding& f) {
  format::JsonObject json;
  json.text("what", f.what).text("text", f.text);
  if (f.file) json.text("file", kJsonFiles[*f.file]).number_u("from", f.from).number_u("to", f.to);
  if (f.index) json.number_u("index", *f.index);
  if (f.from_us && f.to_us) json.number("from_us", *f.from_us).number("to_us", *f.to_us);
  if (!f.command.empty()) json.text("command", f.command);
  return std::move(json).take();
}

std::string findings_json(const std::vector<Finding>& findings) {
  std::string list = "[";
  for (const Finding& f : findings) list += (list.size() > 1 ? "," : "") + finding_json(f);
  return list + "]";
}

Integrity ledger_integrity(const HostVerdict& host) {
  return host.ledger ? host.ledger->integrity() : Integrity::kUnproven;
}

std::string ledger_text(const HostVerdict& host, bool colour) {
  const Integrity integrity = ledger_integrity(host);
  std::string out = painted(padded(seal::integrity_word(integrity), 9),
                            colour_of(integrity, Completeness::kComplete), colour) +
                    "            ledger";
  if (!host.ledger) return out + ": " + printable(host.ledger_problem) + "\n";
  const seal::LedgerVerdict& l = *host.ledger;
  out += " " + printable(l.origin) + ": ";
  if (l.proven) out += std::to_string(*l.proven) + " of ";
  out += std::to_string(l.entries) + (l.entries == 1 ? " entry, " : " entries, ") +
         counted(l.checkpoints, "checkpoint");
  if (!l.proven) out += ", " + counted(l.sessions.size(), "session");
  out += "\n";
  for (const Finding& f : l.findings) out += finding_text(f);
  return out;
}

}  // namespace

std::string verdict_text(const HostVerdict& host, bool all, bool colour) {
  std::string out;
  if (!host.evidence.empty()) out += printable(host.evidence) + ":\n";
  out += ledger_text(host, colour);
  std::map<std::string, std::size_t> counts;
  for (const seal::SessionVerdict& s : host.sessions) {
    const std::string words = padded(seal::integrity_word(s.integrity()), 9) + " " +
                              padded(seal::completeness_word(s.completeness()), 10);
    ++counts[std::string(seal::integrity_word(s.integrity())) + ", " +
             seal::completeness_word(s.completeness())];
    if (!all && s.findings.empty()) continue;
    out += painted(words, colour_of(s.integrity(), s.completeness()), colour) + " " + printable(s.recording);
    if (s.seals > 0) out += "  " + counted(s.seals, "seal") + ", " + format_size(s.sealed);
    out += "\n";
    for (const seal::Finding& f : s.findings) out += finding_text(f);
  }
  out += counted(host.sessions.size(), "recording");
  for (const auto& [words, count] : counts)
    out += (words == counts.begin()->first ? ": " : "; ") + std::to_string(count) + " " + words;
  return out + "\n";
}

std::string verdict_json(const HostVerdict& host) {
  format::JsonObject ledger;
  ledger.text("integrity", seal::integrity_word(ledger_integrity(host)));
  if (host.ledger) {
    ledger.text("origin", host.ledger->origin)
        .number_u("entries", host.ledger->entries)
        .number_u("signed", host.ledger->signed_entries)
        .number_u("checkpoints", host.ledger->checkpoints);
    if (host.ledger->proven) ledger.number_u("proven", *host.ledger->proven);
    ledger.raw("findings", findings_json(host.ledger->findings));
  } else {
    ledger.text("problem", host.ledger_problem).raw("findings", "[]");
  }
  std::string sessions = "[";
  for (const seal::SessionVerdict& s : host.sessions) {
    format::JsonObject json;
    json.text("recording", s.recording)
        .number_u("no", s.no)
        .text("integrity", seal::integrity_word(s.integrity()))
        .text("completeness", seal::completeness_word(s.completeness()))
        .number_u("seals", s.seals)
        .number_u("sealed", s.sealed)
        .raw("findings", findings_json(s.findings));
    sessions += (sessions.size() > 1 ? "," : "") + std::move(json).take();
  }
  format::JsonObject json;
  if (!host.evidence.empty()) json.text("evidence", host.evidence);
  json.raw("ledger", std::move(ledger).take()).raw("sessions", sessions + "]");
  return std::move(json).take() + "\n";
}

ExitCode exit_code_of(const HostVerdict& host) {
  Integrity integrity = ledger_integrity(host);
  Completeness completeness = Completeness::kComplete;
  for (const seal::SessionVerdict& s : host.sessions) {
    integrity = std::max(integrity, s.integrity());
    completeness = std::max(completeness, s.completeness());
  }
  if (integrity == Integrity::kAltered) return kAltered;
  if (integrity == Integrity::kUnproven) return kUnproven;
  return completeness == Completeness::kComplete ? kOk : kNo;
}

}  // namespace opelog::cli
