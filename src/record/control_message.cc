#include "record/control_message.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "format/json_text.h"
#include "format/recording_name.h"

namespace opelog::record {
namespace {

using format::JsonObject;

constexpr std::size_t kMaxSession = 512;  ///< bytes of a session's name: a file name has at most 255
constexpr std::size_t kMaxText = 1024;    ///< bytes of one string in a row or list; longer is cut
constexpr std::size_t kMaxEntries =
    20;  ///< of a list in status: the first ones tell what to do; 20 x 2 x 1024 x 3 fits a packet

Error invalid(std::string what) {
  return Error{Code::kInvalid, "not a control request: " + std::move(what), 0};
}

// Takes a flat object of strings and integers, each key once. No tree is built, nothing nests.
class RequestReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::optional<std::string> op, session, recording, why, what;
  std::optional<std::int64_t> seconds;
  std::string wrong;

  bool start_object(std::size_t) override {
    if (inside_) return fail("an object inside the object");
    return inside_ = true;
  }
  bool end_object() override { return true; }
  bool key(std::string& name) override {
    target_ = nullptr;
    number_ = nullptr;
    bool again = false;
    if (name == "op") {
      target_ = &op;
      again = op.has_value();
    } else if (name == "session") {
      target_ = &session;
      again = session.has_value();
    } else if (name == "recording") {
      target_ = &recording;
      again = recording.has_value();
    } else if (name == "why") {
      target_ = &why;
      again = why.has_value();
    } else if (name == "what") {
      target_ = &what;
      again = what.has_value();
    } else if (name == "seconds") {
      number_ = &seconds;
      again = seconds.has_value();
    } else {
      return fail("unknown key");
    }
    return !again || fail("a key twice");
  }
  bool string(std::string& value) override {
    if (!inside_ || target_ == nullptr) return fail("a string where none belongs");
    *target_ = value;
    return true;
  }
  bool number_integer(std::int64_t value) override {
    if (!inside_ || number_ == nullptr) return fail("a number where none belongs");
    *number_ = value;
    return true;
  }
  bool number_unsigned(std::uint64_t value) override {
    return number_integer(
        static_cast<std::int64_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max())));
  }
  bool null() override { return fail("null"); }
  bool boolean(bool) override { return fail("a boolean"); }
  bool number_float(double, const std::string&) override { return fail("a fraction"); }
  bool binary(nlohmann::json::binary_t&) override { return fail("binary"); }
  bool start_array(std::size_t) override { return fail("a list"); }
  bool end_array() override { return fail("a list"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return fail("broken JSON at byte " + std::to_string(position));
  }

 private:
  bool fail(std::string reason) {
    if (wrong.empty()) wrong = std::move(reason);
    return false;
  }
  bool inside_ = false;
  std::optional<std::string>* target_ = nullptr;
  std::optional<std::int64_t>* number_ = nullptr;
};

// A reading of one recording, or of many.
Result<ControlRequest> viewed_of(const RequestReader& reader) {
  const auto what = format::parse_view(reader.what.value_or(""));
  if (!what)
    return invalid("viewed needs \"what\": play, show, tail, commands, export, prove, search or report");
  const std::string recording = reader.recording.value_or("");
  if (format::is_of_many(*what) ? !recording.empty() : !format::is_recording_name(recording))
    return invalid("viewed needs \"recording\", a recording's name; none for search and report");
  return ControlRequest(ViewedRequest{recording, *what});
}

std::string cut(const std::string& text) {
  return text.size() <= kMaxText ? text : text.substr(0, kMaxText) + "...";
}

// A whole object; the builder hands its members on by reference.
std::string finish(JsonObject& object) {
  return std::move(object).take();
}

std::string time_text(WallUs when) {
  return when == 0 ? std::string() : format_utc(when);
}

}  // namespace

Result<ControlRequest> decode_request(std::string_view packet) {
  if (packet.size() > kMaxRequest) return invalid("longer than " + std::to_string(kMaxRequest) + " bytes");
  // The JSON library takes a zero byte for the end of its input and would not see what follows.
  if (packet.find('\0') != std::string_view::npos) return invalid("a zero byte");
  RequestReader reader;
  const bool whole = nlohmann::json::sax_parse(packet.begin(), packet.end(), &reader);
  if (!whole) return invalid(reader.wrong.empty() ? "broken JSON" : reader.wrong);
  if (!reader.op) return invalid("no \"op\"");
  const std::string& op = *reader.op;
  if (reader.session && op != "kill") return invalid("\"session\" belongs to kill");
  if (reader.seconds && op != "thaw") return invalid("\"seconds\" belongs to thaw");
  const bool removes = op == "prune" || op == "compressed";
  if (reader.recording && !removes && op != "viewed")
    return invalid("\"recording\" belongs to prune, compressed and viewed");
  if (reader.what && op != "viewed") return invalid("\"what\" belongs to viewed");
  if (op == "viewed") return viewed_of(reader);
  if (reader.why && op != "prune") return invalid("\"why\" belongs to prune");
  if (op == "status") return ControlRequest(StatusRequest{});
  if (op == "sessions") return ControlRequest(SessionsRequest{});
  if (op == "reload") return ControlRequest(ReloadRequest{});
  if (op == "reopen-log") return ControlRequest(ReopenLogRequest{});
  if (op == "freeze") return ControlRequest(FreezeRequest{});
  if (op == "dump") return ControlRequest(DumpRequest{});
  if (op == "rotate-key") return ControlRequest(RotateKeyRequest{});
  if (op == "kill") {
    if (!reader.session || reader.session->empty()) return invalid("kill needs \"session\"");
    if (reader.session->size() > kMaxSession) return invalid("\"session\" is too long");
    return ControlRequest(KillRequest{*reader.session});
  }
  if (op == "thaw") {
    const std::int64_t seconds = reader.seconds.value_or(kDefaultThawSeconds);
    if (seconds < 1 || seconds > kMaxThawSeconds) {
      return invalid("\"seconds\" must be 1 to " + std::to_string(kMaxThawSeconds));
    }
    return ControlRequest(ThawRequest{static_cast<int>(seconds)});
  }
  if (removes) {
    if (!reader.recording || !format::is_recording_name(*reader.recording))
      return invalid(op + " needs \"recording\", a recording's name");
    if (op == "compressed") return ControlRequest(CompressedRequest{*reader.recording});
    for (const auto why : {format::PruneReason::kAge, format::PruneReason::kSize,
                           format::PruneReason::kUserSize, format::PruneReason::kReserve}) {
      if (reader.why == format::prune_word(why)) return ControlRequest(PruneRequest{*reader.recording, why});
    }
    return invalid("prune needs \"why\": age, size, user-size or reserve");
  }
  return invalid("unknown \"op\"");
}

const char* request_word(const ControlRequest& request) noexcept {
  static constexpr const char* kWords[] = {"status",     "sessions",   "kill",       "reload",
                                           "reopen-log", "thaw",       "freeze",     "dump",
                                           "prune",      "compressed", "rotate-key", "viewed"};
  static_assert(std::size(kWords) == std::variant_size_v<ControlRequest>);
  return kWords[request.index()];
}

bool needs_root(const ControlRequest& request) noexcept {
  return !std::holds_alternative<StatusRequest>(request) &&
         !std::holds_alternative<SessionsRequest>(request) && !std::holds_alternative<ViewedRequest>(request);
}

Packets encode_status(const StatusAnswer& status) {
  std::string directories, degraded;
  for (std::size_t i = 0; i < std::min(status.guard.directories.size(), kMaxEntries); ++i) {
    if (i > 0) directories += ',';
    format::append_json_string(directories, cut(status.guard.directories[i]));
  }
  for (std::size_t i = 0; i < std::min(status.degraded.size(), kMaxEntries); ++i) {
    if (i > 0) degraded += ',';
    const auto& entry = status.degraded[i];
    degraded += finish(JsonObject().text("what", cut(entry.what)).text("remedy", cut(entry.remedy)));
  }
  auto policy = JsonObject()
                    .text("file", cut(status.policy.file))
                    .text("digest", cut(status.policy.digest))
                    .text("loaded", time_text(status.policy.loaded))
                    .text("error", cut(status.policy.error));
  auto guard = JsonObject()
                   .raw("directories", "[" + directories + "]")
                   .number_u("flagged", status.guard.flagged)
                   .number_u("findings", status.guard.findings)
                   .number_u("overflows", status.guard.overflows);
  auto disk = JsonObject()
                  .number_u("free", status.disk.free)
                  .number_u("reserve", status.disk.reserve)
                  .boolean("low", status.disk.low);
  JsonObject events;
  for (const auto& [event, count] : status.events) events.number_u(event, count);
  auto text = JsonObject()
                  .boolean("ok", true)
                  .text("version", status.version)
                  .number("pid", status.pid)
                  .text("started", time_text(status.started))
                  .number("uptime_s", status.uptime_s)
                  .raw("policy", std::move(policy).take())
                  .number_u("sessions", status.sessions)
                  .number_u("pending", status.pending)
                  .number_u("recorded_total", status.recorded_total)
                  .number_u("refused_total", status.refused_total)
                  .number_u("passed_total", status.passed_total)
                  .number_u("failed_total", status.failed_total)
                  .number_u("unrecorded_total", status.unrecorded_total)
                  .number_u("unkept", status.unkept)
                  .number_u("kept_layout", status.kept_layout)
                  .number_u("held", status.held)
                  .number_u("limited", status.limited)
                  .raw("disk", std::move(disk).take())
                  .number_u("bytes_recorded", status.bytes_recorded)
                  .number_u("calls_waiting", status.calls_waiting)
                  .number_u("log_failures", status.log_failures)
                  .raw("guard", std::move(guard).take())
                  .raw("events", std::move(events).take())
                  .raw("degraded", "[" + degraded + "]");
  auto packet = std::move(text).take();
  // Only strings made of control characters grow that much (six bytes each).
  if (packet.size() > kMaxAnswerPacket) {
    return encode_error({Code::kLimit, "the status does not fit a packet", 0});
  }
  return {std::move(packet)};
}

Packets encode_sessions(const std::vector<SessionRow>& sessions) {
  constexpr std::string_view kHead = R"({"ok":true,"sessions":[)", kMore = R"(],"more":true})", kEnd = "]}";
  Packets packets;
  std::string packet(kHead);
  for (const auto& row : sessions) {
    auto json = JsonObject()
                    .text("id", cut(row.id))
                    .text("name", cut(row.name))
                    .text("user", cut(row.user))
                    .number("uid", row.uid)
                    .text("client", cut(row.client))
                    .text("tty", cut(row.tty))
                    .text("inner_tty", cut(row.inner_tty))
                    .text("started", time_text(row.started))
                    .boolean("terminal", row.terminal)
                    .text("state", cut(row.state))
                    .number_u("bytes_out", row.bytes_out)
                    .number_u("bytes_in", row.bytes_in)
                    .number("pid", row.pid);
    // 7 strings of 1 KiB, six bytes per control character at worst: 43 KiB, so a row always fits a packet.
    const auto text = std::move(json).take();
    if (packet.size() + 1 + text.size() + kMore.size() > kMaxAnswerPacket) {
      packet += kMore;
      packets.push_back(std::move(packet));
      packet = kHead;
    }
    if (packet.size() > kHead.size()) packet += ',';
    packet += text;
  }
  packet += kEnd;
  packets.push_back(std::move(packet));
  return packets;
}

Packets encode_dump(std::string_view text) {
  // A byte becomes at most six, so a part of a tenth of a packet always fits.
  constexpr std::size_t kPart = kMaxAnswerPacket / 10;
  Packets packets;
  do {
    auto length = std::min(text.size(), kPart);
    // Not inside a character: step back over its continuation bytes, at most three.
    for (int back = 0; back < 3 && length < text.size() && length > 1; ++back) {
      if ((static_cast<unsigned char>(text[length]) & 0xc0) != 0x80) break;
      --length;
    }
    auto json = JsonObject().boolean("ok", true).text("dump", text.substr(0, length));
    text.remove_prefix(length);
    if (!text.empty()) json.boolean("more", true);
    packets.push_back(std::move(json).take());
  } while (!text.empty());
  return packets;
}

Packets encode_killed(const std::string& session) {
  return {finish(JsonObject().boolean("ok", true).text("session", cut(session)))};
}
Packets encode_reloaded(const std::string& digest) {
  return {finish(JsonObject().boolean("ok", true).text("digest", cut(digest)))};
}
Packets encode_files(std::int64_t files) {
  return {finish(JsonObject().boolean("ok", true).number("files", files))};
}
Packets encode_bytes(std::int64_t bytes) {
  return {finish(JsonObject().boolean("ok", true).number("bytes", bytes))};
}
Packets encode_rotated(const RotatedKeyAnswer& keys) {
  return {finish(JsonObject()
                     .boolean("ok", true)
                     .text("log", cut(keys.log))
                     .text("former", cut(keys.former))
                     .number_u("size", keys.size))};
}
Packets encode_ok() {
  return {finish(JsonObject().boolean("ok", true))};
}

Packets encode_error(const Error& error) {
  return {finish(JsonObject()
                     .boolean("ok", false)
                     .text("code", code_name(error.code))
                     .text("message", cut(error.message)))};
}

}  // namespace opelog::record
