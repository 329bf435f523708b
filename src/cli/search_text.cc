#include "cli/search_text.h"

#include <algorithm>

#include "cli/csv_text.h"
#include "cli/time_text.h"
#include "core/fact.h"
#include "format/json_text.h"

namespace opelog::cli {
namespace {

constexpr const char* kMatchColour = "\x1B[1;31m";
constexpr char kSafeWord[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

bool inside_character(const std::string& text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
}

const char* gaps_word(unsigned gaps) {
  if (gaps == (index::kGapBefore | index::kGapBehind)) return "before and behind";
  return gaps == index::kGapBefore ? "before" : "behind";
}

std::string quoted(const std::string& word) {
  if (!word.empty() && word.find_first_not_of(kSafeWord) == std::string::npos) return word;
  const bool plain = std::all_of(word.begin(), word.end(),
                                 [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
  std::string out = plain ? "'" : "$'";
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (plain && c == '\'')
      out += "'\\''";
    else if (!plain && (byte < 0x20 || byte >= 0x7F || c == '\'' || c == '\\'))
      (((out += "\\x") += kHex[byte >> 4U]) += kHex[byte & 15U]);
    else
      out += c;
  }
  return out + "'";
}

}  // namespace

std::string excerpt(const std::string& line, index::Match match, bool colour) {
  const std::size_t begin = std::min(match.begin, line.size());
  const std::size_t end = std::min(begin + match.size, line.size());
  std::size_t from = begin > kAround ? begin - kAround : 0;
  std::size_t shown_end = std::min(end, begin + 4 * kAround);
  std::size_t to = std::min(shown_end + kAround, line.size());
  while (inside_character(line, from)) ++from;
  while (inside_character(line, shown_end)) ++shown_end;
  while (inside_character(line, to)) ++to;
  std::string out = from > 0 ? "..." : "";
  out += printable(std::string_view(line).substr(from, begin - from));
  const std::string found = printable(std::string_view(line).substr(begin, shown_end - begin));
  out += colour && !found.empty() ? kMatchColour + found + "\x1B[0m" : found;
  out += printable(std::string_view(line).substr(shown_end, to - shown_end));
  return to < line.size() ? out + "..." : out;
}

std::string play_line(const std::string& directory, const std::string& name, std::int64_t at_us) {
  std::string out = "opelog play ";
  if (!directory.empty()) out += "--directory " + quoted(directory) + " ";
  if (!name.empty() && name[0] == '-') out += "-- ";
  return out + quoted(name) + " --at " + format_length(at_us - at_us % kUsPerS);
}

std::string hit_text(const index::IndexedSession& session, const index::Hit& hit,
                     const std::string& directory, bool colour,
                     const std::function<std::string(WallUs)>& local) {
  std::string out = session.started == 0 ? "-" : local(session.started + hit.at_us);
  out += " " + printable(session.user) + (session.user_claimed ? "?" : "") + "  ";
  if (hit.is_command) out += "$ ";
  out += excerpt(hit.line, hit.match, colour);
  const std::string mark =
      replay::mark_of(hit.by_program ? "" : hit.command.renamed, hit.command.foreign_mounts);
  if (hit.is_command && !mark.empty()) out += "  (" + printable(mark) + ")";
  if (hit.is_command && hit.command.status && *hit.command.status != 0)
    out += "  (exit " + std::to_string(*hit.command.status) + ")";
  if (hit.is_command && hit.command.cut) out += "  (a part of it is missing)";
  if (hit.is_command && hit.command.uncertain)
    out += hit.command.cut ? "  (? perhaps it did not run)" : "  (? perhaps left by Ctrl-C)";
  if (hit.gaps != index::kNoGap) out += std::string("  (output is missing ") + gaps_word(hit.gaps) + " it)";
  return out + "\n    " + printable(play_line(directory, session.name, hit.at_us)) + "\n";
}

std::string hit_csv_titles() {
  return "time,session_user,client,recording,session,at,kind,line,match,status,uncertain,cut,renamed,gap,"
         "play\r\n";
}

std::string hit_csv_line(const index::IndexedSession& session, const index::Hit& hit,
                         const std::string& directory, const std::string& time) {
  const std::size_t begin = std::min(hit.match.begin, hit.line.size());
  return csv_text(time) + ',' + csv_text(session.user + (session.user_claimed ? "?" : "")) + ',' +
         csv_text(session.client) + ',' + csv_text(session.name) + ',' + csv_text(session.id) + ',' +
         csv_text(format_length(hit.at_us)) + ',' + (hit.is_command ? "command," : "text,") +
         csv_text(hit.line) + ',' + csv_text(std::string_view(hit.line).substr(begin, hit.match.size)) + ',' +
         (hit.is_command && hit.command.status ? std::to_string(*hit.command.status) : "") + ',' +
         (hit.is_command && hit.command.uncertain ? "true," : ",") +
         (hit.is_command && hit.command.cut ? "true," : ",") +
         csv_text(hit.is_command ? hit.command.renamed : "") + ',' +
         (hit.gaps != index::kNoGap ? gaps_word(hit.gaps) : "") + ',' +
         csv_text(play_line(directory, session.name, hit.at_us)) + "\r\n";
}

std::string hit_json(const index::IndexedSession& session, const index::Hit& hit,
                     const std::string& directory) {
  format::JsonObject json;
  json.text("session", session.name).text("id", session.id).text("user", session.user);
  json.boolean("user_claimed", session.user_claimed).text("client", session.client);
  session.started != 0 ? json.text("time", format_utc(session.started + hit.at_us))
                       : json.raw("time", "null");
  json.number("at_us", hit.at_us).number_u("offset", hit.offset);
  json.text("kind", hit.is_command ? "command" : "text").text("line", hit.line);
  json.number_u("match_begin", hit.match.begin).number_u("match_size", hit.match.size);
  if (hit.gaps != index::kNoGap) json.text("gap", gaps_word(hit.gaps));
  if (hit.is_command) {
    const auto& command = hit.command;
    json.text("command", command.text).text("known", replay::known_by_text(command.known));
    command.status ? json.number("exit", *command.status) : json.raw("exit", "null");
    command.end_us >= 0 ? json.number("end_us", command.end_us) : json.raw("end_us", "null");
    if (command.uncertain) json.boolean("uncertain", true);
    if (command.cut) json.boolean("cut", true);
    if (!command.exe.empty()) json.text("exe", command.exe);
    if (!command.renamed.empty()) json.text("renamed", command.renamed);
    if (command.foreign_mounts) json.boolean("foreign_mounts", true);
    json.boolean("process", command.owner != 0).text("cwd", command.cwd).text("as_user", command.user);
  }
  json.text("play", play_line(directory, session.name, hit.at_us));
  return std::move(json).take();
}

}  // namespace opelog::cli
