#include "seal/ledger_entry.h"

#include "format/json_text.h"
#include "seal/base64.h"
#include "seal/json_members.h"

namespace opelog::seal {
namespace {

using format::JsonObject;
using format::JsonValue;

// What users choose is cut: an entry stays small.
constexpr std::size_t kMaxWordBytes = 256;

std::string word(const std::string& text) {
  return text.size() <= kMaxWordBytes ? text : text.substr(0, kMaxWordBytes);
}

void put_sizes(JsonObject& json, const FileSizes& sizes) {
  json.number_u("log", sizes.log).number_u("time", sizes.time).number_u("in", sizes.in);
}

// ---- writing: each kind's word, and its members

struct Write {
  JsonObject& json;

  void operator()(const KeyEntry& e) const {
    json.text("log", e.log).number_u("epoch", e.epoch).text("next", to_base64(e.next)).text("why", e.why);
  }
  void operator()(const BootEntry& e) const {
    json.text("boot_id", e.boot_id).text("version", e.version).boolean("clean", e.clean);
  }
  void operator()(const ShutdownEntry&) const {}
  void operator()(const PolicyEntry& e) const { json.text("digest", e.digest); }
  void operator()(const OpenedEntry& e) const {
    json.number_u("no", e.no)
        .text("session", e.session)
        .text("recording", e.recording)
        .text("directory", e.directory)
        .text("host", word(e.host))
        .text("host_id", word(e.host_id))
        .text("boot_id", word(e.boot_id))
        .text("user", word(e.user))
        .number_u("uid", e.uid)
        .text("client", word(e.client))
        .text("how", e.how)
        .text("rule", word(e.rule))
        .text("policy", e.policy)
        .text("key", to_base64(e.key));
  }
  void operator()(const SealedEntry& e) const {
    json.number_u("no", e.no).number_u("n", e.n).text("seal", to_base64(e.seal));
    put_sizes(json, e.sizes);
  }
  void operator()(const ClosedEntry& e) const {
    json.number_u("no", e.no).number_u("n", e.n).text("seal", to_base64(e.seal));
    put_sizes(json, e.sizes);
    json.text("reason", e.reason);
    if (e.exit_code) json.number("exit_code", *e.exit_code);
    if (e.signal) json.number("signal", *e.signal);
  }
  void operator()(const CrashedEntry& e) const {
    json.number_u("no", e.no);
    if (e.missing) {
      json.boolean("missing", true);
      return;
    }
    put_sizes(json, e.sizes);
    json.text("dl", to_base64(e.log)).text("dt", to_base64(e.time)).text("di", to_base64(e.in));
  }
  void operator()(const PrunedEntry& e) const {
    json.text("recording", e.recording).text("why", e.why);
    put_sizes(json, e.sizes);
  }
  void operator()(const CompressedEntry& e) const {
    json.text("recording", e.recording);
    put_sizes(json, e.sizes);
  }
  void operator()(const ThawedEntry& e) const { json.number("seconds", e.seconds); }
  void operator()(const FrozenEntry& e) const { json.number("files", e.files); }
  void operator()(const UnrecordedEntry& e) const {
    json.text("what", e.what)
        .text("user", word(e.user))
        .number_u("uid", e.uid)
        .text("client", word(e.client))
        .text("rule", word(e.rule))
        .text("why", word(e.why));
  }
  void operator()(const ViewedEntry& e) const {
    json.text("recording", e.recording).number_u("uid", e.uid).text("what", word(e.what));
  }
  void operator()(const LedgerGapEntry& e) const {
    json.text("what", word(e.what)).text("why", word(e.why)).number_u("count", e.count);
  }
  void operator()(const ClockEntry& e) const { json.number("by", e.by); }
  void operator()(const HeartbeatEntry& e) const { json.number("live", e.live); }
  void operator()(const UnknownEntry&) const {}
};

struct KindWord {
  const char* operator()(const KeyEntry&) const { return "key"; }
  const char* operator()(const BootEntry&) const { return "boot"; }
  const char* operator()(const ShutdownEntry&) const { return "shutdown"; }
  const char* operator()(const PolicyEntry&) const { return "policy"; }
  const char* operator()(const OpenedEntry&) const { return "opened"; }
  const char* operator()(const SealedEntry&) const { return "sealed"; }
  const char* operator()(const ClosedEntry&) const { return "closed"; }
  const char* operator()(const CrashedEntry&) const { return "crashed"; }
  const char* operator()(const PrunedEntry&) const { return "pruned"; }
  const char* operator()(const CompressedEntry&) const { return "compressed"; }
  const char* operator()(const ThawedEntry&) const { return "thawed"; }
  const char* operator()(const FrozenEntry&) const { return "frozen"; }
  const char* operator()(const ViewedEntry&) const { return "viewed"; }
  const char* operator()(const UnrecordedEntry&) const { return "unrecorded"; }
  const char* operator()(const LedgerGapEntry&) const { return "gap"; }
  const char* operator()(const ClockEntry&) const { return "clock"; }
  const char* operator()(const HeartbeatEntry&) const { return "heartbeat"; }
  const char* operator()(const UnknownEntry& e) const { return e.kind.c_str(); }
};

// ---- reading

bool take_sizes(const JsonValue& json, FileSizes& sizes) {
  return take_member(json, "log", sizes.log) && take_member(json, "time", sizes.time) &&
         take_member(json, "in", sizes.in);
}

std::optional<int> optional_number(const JsonValue& json, std::string_view name) {
  if (json.find(name) == nullptr) return std::nullopt;
  return static_cast<int>(json.number_or(name, 0));
}

std::optional<EntryBody> read_key(const JsonValue& j) {
  KeyEntry e;
  e.log = j.text_or("log", "");
  e.why = j.text_or("why", "");
  if (!take_member(j, "epoch", e.epoch) || !take_member(j, "next", e.next)) return std::nullopt;
  return e;
}

std::optional<EntryBody> read_opened(const JsonValue& j) {
  OpenedEntry e;
  e.session = j.text_or("session", "");
  e.recording = j.text_or("recording", "");
  e.directory = j.text_or("directory", "");
  e.host = j.text_or("host", "");
  e.host_id = j.text_or("host_id", "");
  e.boot_id = j.text_or("boot_id", "");
  e.user = j.text_or("user", "");
  e.uid = static_cast<std::uint32_t>(j.number_u_or("uid", 0));
  e.client = j.text_or("client", "");
  e.how = j.text_or("how", "");
  e.rule = j.text_or("rule", "");
  e.policy = j.text_or("policy", "");
  if (!take_member(j, "no", e.no) || !take_member(j, "key", e.key)) return std::nullopt;
  return e;
}

std::optional<EntryBody> read_sealed(const JsonValue& j) {
  SealedEntry e;
  if (!take_member(j, "no", e.no) || !take_member(j, "n", e.n) || !take_member(j, "seal", e.seal) ||
      !take_sizes(j, e.sizes))
    return std::nullopt;
  return e;
}

std::optional<EntryBody> read_closed(const JsonValue& j) {
  ClosedEntry e;
  if (!take_member(j, "no", e.no) || !take_member(j, "n", e.n) || !take_member(j, "seal", e.seal) ||
      !take_sizes(j, e.sizes))
    return std::nullopt;
  e.reason = j.text_or("reason", "");
  e.exit_code = optional_number(j, "exit_code");
  e.signal = optional_number(j, "signal");
  return e;
}

std::optional<EntryBody> read_crashed(const JsonValue& j) {
  CrashedEntry e;
  if (!take_member(j, "no", e.no)) return std::nullopt;
  e.missing = j.boolean_or("missing", false);
  if (!e.missing && (!take_sizes(j, e.sizes) || !take_member(j, "dl", e.log) ||
                     !take_member(j, "dt", e.time) || !take_member(j, "di", e.in)))
    return std::nullopt;
  return e;
}

std::optional<EntryBody> read_pruned(const JsonValue& j) {
  PrunedEntry e;
  e.recording = j.text_or("recording", "");
  e.why = j.text_or("why", "");
  if (!take_sizes(j, e.sizes)) return std::nullopt;
  return e;
}

std::optional<EntryBody> read_compressed(const JsonValue& j) {
  CompressedEntry e;
  e.recording = j.text_or("recording", "");
  if (!take_sizes(j, e.sizes)) return std::nullopt;
  return e;
}

std::optional<EntryBody> read_body(const std::string& kind, const JsonValue& j) {
  if (kind == "key") return read_key(j);
  if (kind == "boot")
    return BootEntry{j.text_or("boot_id", ""), j.text_or("version", ""), j.boolean_or("clean", false)};
  if (kind == "shutdown") return ShutdownEntry{};
  if (kind == "policy") return PolicyEntry{j.text_or("digest", "")};
  if (kind == "opened") return read_opened(j);
  if (kind == "sealed") return read_sealed(j);
  if (kind == "closed") return read_closed(j);
  if (kind == "crashed") return read_crashed(j);
  if (kind == "pruned") return read_pruned(j);
  if (kind == "compressed") return read_compressed(j);
  if (kind == "thawed") return ThawedEntry{j.number_or("seconds", 0)};
  if (kind == "frozen") return FrozenEntry{j.number_or("files", 0)};
  if (kind == "viewed")
    return ViewedEntry{j.text_or("recording", ""), static_cast<std::uint32_t>(j.number_u_or("uid", 0)),
                       j.text_or("what", "")};
  if (kind == "unrecorded")
    return UnrecordedEntry{
        j.text_or("what", ""),   j.text_or("user", ""), static_cast<std::uint32_t>(j.number_u_or("uid", 0)),
        j.text_or("client", ""), j.text_or("rule", ""), j.text_or("why", "")};
  if (kind == "gap")
    return LedgerGapEntry{j.text_or("what", ""), j.text_or("why", ""), j.number_u_or("count", 0)};
  if (kind == "clock") return ClockEntry{j.number_or("by", 0)};
  if (kind == "heartbeat") return HeartbeatEntry{j.number_or("live", 0)};
  return UnknownEntry{kind};
}

}  // namespace

std::string encode_entry(const LedgerEntry& entry) {
  JsonObject json;
  json.number_u("i", entry.index).number("t", entry.at).text("k", std::visit(KindWord{}, entry.body));
  std::visit(Write{json}, entry.body);
  return std::move(json).take();
}

std::optional<LedgerEntry> parse_entry(std::string_view line) {
  if (line.size() > kMaxEntryBytes) return std::nullopt;
  const auto json = format::parse_json(line);
  LedgerEntry entry;
  if (!json || json->kind != JsonValue::Kind::kObject || !take_member(*json, "i", entry.index))
    return std::nullopt;
  const std::string kind = json->text_or("k", "");
  if (kind.empty()) return std::nullopt;
  entry.at = json->number_or("t", 0);
  auto body = read_body(kind, *json);
  if (!body) return std::nullopt;
  entry.body = std::move(*body);
  return entry;
}

std::optional<OpenedEntry> parse_opened(std::string_view line, std::uint64_t& index) {
  auto entry = parse_entry(line);
  if (!entry) return std::nullopt;
  auto* opened = std::get_if<OpenedEntry>(&entry->body);
  if (opened == nullptr) return std::nullopt;
  index = entry->index;
  return std::move(*opened);
}

}  // namespace opelog::seal
