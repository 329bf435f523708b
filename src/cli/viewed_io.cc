#include "cli/viewed_io.h"

#include <sys/stat.h>

#include "cli/control_client_io.h"
#include "core/policy_file_io.h"
#include "format/json_text.h"

namespace opelog::cli {
namespace {

// To connect, and for the answer: below a second together.
constexpr std::chrono::milliseconds kViewedPatience{400};

bool is_same_directory(const std::string& one, const std::string& other) {
  struct stat a {
  }, b{};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

}  // namespace

void tell_viewed(const Context& context, const std::string& directory, const std::string& recording,
                 format::View what) {
  const auto loaded = load_policy(context.config, Trust::kAny);
  const Policy policy = loaded ? loaded->policy : Policy{};
  if (!policy.seal_viewed || !is_same_directory(directory.empty() ? "." : directory, policy.directory))
    return;
  format::JsonObject request;
  request.text("op", "viewed").text("recording", recording).text("what", format::view_word(what));
  auto client = ControlClient::connect(context.control, kViewedPatience);
  const auto told = client ? client->ask(std::move(request).take())
                           : Result<std::vector<format::JsonValue>>(client.error());
  struct stat st {};
  if (!told && ::stat((policy.seal_ledger + "/entries").c_str(), &st) == 0)
    remark("note: the ledger will not say that this was read: " + told.error().message);
}

Result<std::unique_ptr<format::RecordingReader>> open_session(const Context& context,
                                                              const std::string& session, format::View what) {
  auto found = find_session(context, session);
  if (!found) return std::move(found).error();
  auto reader = format::RecordingReader::open(found->path);
  if (reader) tell_viewed(context, found->directory, found->name, what);
  return reader;
}

}  // namespace opelog::cli
