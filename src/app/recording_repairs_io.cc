#include "app/recording_repairs_io.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <set>

#include "core/clock_io.h"
#include "core/fd_io.h"
#include "format/recording_files_io.h"
#include "format/recording_list_io.h"
#include "format/recording_writer_io.h"
#include "seal/seal_record.h"

namespace opelog::app {
namespace {

// Of recordings whose files hold nothing, those of which the ledger knows nothing either: they were being
// made.
std::set<std::string> unbegun(int directory, const std::vector<std::string>& names,
                              const std::string& ledger) {
  std::set<std::string> empty;
  for (const std::string& name : names) {
    const auto holds = [&](std::string_view suffix) {
      struct stat st {};
      return ::fstatat(directory, (name + std::string(suffix)).c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
             st.st_size > 0;
    };
    if (!holds(format::kTimeSuffix) && !holds(format::kLogSuffix)) empty.insert(name);
  }
  for (const std::string& known : HostLedger::ever_opened(ledger, empty)) empty.erase(known);
  return empty;
}

void repair_recording(int directory, const std::string& name, Repairs& repairs) {
  if (!format::needs_repair(directory, name)) return;
  auto done = format::repair_tail(directory, name, wall_now(), seal::seal_knowledge());
  if (!done) {
    if (done.error().code == Code::kExists) return;  // live meanwhile
    repairs.facts.push_back({Level::kError, "repair-failed", done.error().message, {{"recording", name}}});
  } else if (!done->empty()) {
    repairs.facts.push_back({Level::kWarning,
                             "recording-repaired",
                             "an interrupted recording was completed: " + *done,
                             {{"recording", name}}});
  }
}

// Only what lay there when the daemon began: a recording that a login makes meanwhile is not to be touched.
// The ledger knows of `interrupted` that they did, whatever the clock says.
void repair_directory(const std::string& path, WallUs began, const std::set<std::string>& interrupted,
                      const std::string& ledger, Repairs& repairs) {
  auto names = format::list_names(path);
  if (!names) {
    if (names.error().code != Code::kNotFound)
      repairs.facts.push_back({Level::kError, "repair-failed", names.error().message, {}});
    return;
  }
  auto directory = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  if (!directory) return;
  const std::set<std::string> unknown = unbegun(directory->get(), *names, ledger);
  for (const std::string& name : *names) {
    struct stat st {};
    if (interrupted.count(name) == 0 &&
        ::fstatat(directory->get(), (name + ".time").c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        st.st_mtim.tv_sec * kUsPerS + st.st_mtim.tv_nsec / 1000 >= began)
      continue;
    if (unknown.count(name) > 0 && format::remove_unbegun(directory->get(), name)) {
      repairs.facts.push_back({Level::kWarning,
                               "recording-unbegun",
                               "the empty files of a recording that was being made were removed",
                               {{"recording", name}}});
      continue;
    }
    repair_recording(directory->get(), name, repairs);
  }
}

// Those that the ledger knows to be in another directory, where the policy named that one then.
void repair_elsewhere(const std::string& path, const std::map<std::uint64_t, seal::OpenSession>& interrupted,
                      Repairs& repairs) {
  for (const auto& [no, session] : interrupted) {
    if (session.directory.empty() || session.directory == path) continue;
    auto directory = open_at(AT_FDCWD, session.directory, O_RDONLY | O_DIRECTORY);
    if (directory) repair_recording(directory->get(), session.recording, repairs);
  }
}

}  // namespace

Repairs repair_recordings(const std::string& directory, WallUs began, const std::string& ledger,
                          const std::map<std::uint64_t, seal::OpenSession>& interrupted) {
  Repairs repairs;
  std::set<std::string> names;
  for (const auto& [no, session] : interrupted) names.insert(session.recording);
  repair_directory(directory, began, names, ledger, repairs);
  repair_elsewhere(directory, interrupted, repairs);
  repairs.interrupted = HostLedger::read_interrupted(directory, interrupted);
  return repairs;
}

}  // namespace opelog::app
