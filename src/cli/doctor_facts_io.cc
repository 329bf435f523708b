#include "cli/doctor_facts_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "cli/account_groups_io.h"
#include "cli/control_answer.h"
#include "cli/control_client_io.h"
#include "core/append_only_io.h"
#include "core/fd_io.h"
#include "core/policy_decide.h"
#include "core/policy_file_io.h"
#include "core/policy_parse.h"
#include "format/recording_directory_io.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace opelog::cli {
namespace {

constexpr std::size_t kFileMax = 64U << 20;  ///< bytes of a passwd file
constexpr std::size_t kConfigMax = 1U << 20;
/// Recordings summarised; of more, the newest names in the alphabet count. 20,000 take about a second.
constexpr std::size_t kRecordingsLooked = 20000;

FileFacts look(const std::string& root, const std::string& path) {
  FileFacts facts;
  facts.path = root + path;
  struct stat st {};
  if (::stat(facts.path.c_str(), &st) != 0) return facts;
  facts.exists = true;
  facts.directory = S_ISDIR(st.st_mode);
  facts.regular = S_ISREG(st.st_mode);
  facts.socket = S_ISSOCK(st.st_mode);
  facts.uid = st.st_uid;
  facts.gid = st.st_gid;
  facts.mode = st.st_mode & 07777;
  return facts;
}

std::vector<std::string> files_in(const std::string& directory, const std::string& suffix) {
  std::vector<std::string> files;
  DIR* open = ::opendir(directory.c_str());
  if (open == nullptr) return files;
  while (const dirent* entry = ::readdir(open)) {
    const std::string name = entry->d_name;
    if (name.size() > suffix.size() &&
        name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
      files.push_back(directory + "/" + name);
    }
  }
  ::closedir(open);
  std::sort(files.begin(), files.end());
  return files;
}

// Whether a line that is no comment holds all the words.
bool has_line(const std::string& path, std::initializer_list<const char*> words) {
  const auto text = read_file(path, kConfigMax);
  if (!text) return false;
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    at = end + 1;
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string::npos || line[first] == '#') continue;
    std::transform(line.begin(), line.end(), line.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    if (std::all_of(words.begin(), words.end(),
                    [&](const char* w) { return line.find(w) != std::string::npos; }))
      return true;
  }
  return false;
}

void gather_hooks(const std::string& root, DoctorFacts& f) {
  auto configs = files_in(root + "/etc/ssh/sshd_config.d", ".conf");
  configs.push_back(root + "/etc/ssh/sshd_config");
  for (const auto& file : configs) {
    if (has_line(file, {"forcecommand", "opelog-shell"})) f.hooks.force_command.push_back(file);
  }
  for (const auto& file : files_in(root + "/etc/profile.d", ".sh")) {
    if (has_line(file, {"opelog-shell"})) f.hooks.profile.push_back(file);
  }
}

bool can_log_in(const std::string& shell) {
  const std::string name = shell.substr(shell.rfind('/') + 1);
  return name != "nologin" && name != "false" && name != "sync" && name != "halt" && name != "shutdown";
}

void gather_accounts(const std::string& root, DoctorFacts& f) {
  const auto group = read_file(root + "/etc/group", kFileMax);
  if (group) {
    f.gid_opelog = find_group(*group, "opelog");
    f.gid_audit = find_group(*group, "opelog-audit");
    f.gid_breakglass = find_group(*group, "opelog-breakglass");
  }
  if (const auto passwd = read_file(root + "/etc/passwd", kFileMax)) f.accounts = parse_passwd(*passwd);
  if (const auto shells = read_file(root + "/etc/shells", kConfigMax)) f.shells = parse_shells(*shells);
  if (f.enrolled.exists) {
    const auto text = read_file(f.enrolled.path, kEnrolledMaxBytes);
    auto entries =
        text ? parse_enrolled(*text, f.enrolled.path) : Result<std::vector<Enrolled>>(text.error());
    if (entries)
      f.entries = std::move(*entries);
    else
      f.enrolled_error = entries.error().message;
  }
  if (!f.policy) return;
  for (const auto& entry : f.entries) {
    const auto account = find_user(f.accounts, entry.user);
    if (!account) continue;
    LoginFacts login;
    login.uid = account->uid;
    login.user = account->user;
    login.groups = account_groups(root, *account);
    if (!may_be_recorded(*f.policy, login)) f.unrecorded.push_back(account->user);
  }
  for (const auto& account : f.accounts) {
    if (!can_log_in(account.shell)) continue;
    LoginFacts login;
    login.uid = account.uid;
    login.user = account.user;
    login.ancestor_exes = {"/usr/sbin/sshd", "/usr/sbin/sshd"};
    login.terminal = true;
    if (decide(*f.policy, login).action != Action::kPass) f.targets.push_back(account.user);
  }
}

void gather_daemon(const Context& context, DoctorFacts& f) {
  const bool watched = ::isatty(STDERR_FILENO) == 1;
  if (watched)
    (void)write_all(STDERR_FILENO, "asking opelogd, for at most " + std::to_string(kAnswerSeconds) + " s ...")
        .ok();
  auto client = ControlClient::connect(context.control);
  const auto answer =
      client ? client->ask(encode_request("status")) : Result<std::vector<format::JsonValue>>(client.error());
  if (watched) (void)write_all(STDERR_FILENO, "\r\x1B[K").ok();
  if (!answer) {
    const Error& error = answer.error();
    f.daemon_code = error.code;
    // The message for other commands sends people here.
    f.daemon_error =
        client || error.code != Code::kGone
            ? error.message
            : "opelogd does not answer at " + error_from_errno(error.err, context.control).message;
    return;
  }
  f.daemon_answers = true;
  const auto& status = answer->front();
  if (const auto* degraded = status.find("degraded")) {
    for (const auto& item : degraded->items)
      f.degraded.emplace_back(item.text_or("what", "?"), item.text_or("remedy", ""));
  }
  if (const auto* policy = status.find("policy")) f.policy_in_force_error = policy->text_or("error", "");
}

void gather_directory(DoctorFacts& f) {
  if (!f.directory.directory) return;
  if (f.as_root && f.running) {
    const auto probed = probe_append_only(f.directory.path);
    f.append_only_error = probed ? "" : probed.error().message;
  }
  struct statvfs fs {};
  if (::statvfs(f.directory.path.c_str(), &fs) == 0) {
    f.free_bytes = std::uint64_t{fs.f_bavail} * fs.f_frsize;
    f.total_bytes = std::uint64_t{fs.f_blocks} * fs.f_frsize;
    if (fs.f_files > 0) f.free_files = fs.f_favail;  // 0 where inodes are made as needed
  }
}

void gather_recordings(DoctorFacts& f) {
  if (!f.directory.directory) return;
  const auto recordings = format::list_recordings(f.directory.path);
  if (!recordings) {
    f.recordings_error = recordings.error().message;
    return;
  }
  const std::vector<std::string>* names = &recordings->names;
  f.recordings = names->size();
  const auto keep = [](std::vector<std::string>& list, std::uint64_t& count, const std::string& name) {
    if (++count <= kNamesKept) list.push_back(name);
  };
  const std::size_t from = names->size() > kRecordingsLooked ? names->size() - kRecordingsLooked : 0;
  for (std::size_t i = from; i < names->size(); ++i) {
    const auto& name = (*names)[i];
    const auto summary = format::summarise(f.directory.path, name, &*recordings);
    if (!summary) continue;
    if (summary->state == format::RecordingState::kLive) ++f.live;
    if (summary->state == format::RecordingState::kTorn) keep(f.torn, f.torn_count, name);
    if (summary->state == format::RecordingState::kCorrupt) keep(f.corrupt, f.corrupt_count, name);
    const auto flagged = has_append_only(AT_FDCWD, f.directory.path + "/" + name + ".log");
    if (f.append_only_error == "" && flagged && !*flagged) keep(f.unflagged, f.unflagged_count, name);
  }
}

bool kernel_has_peer_pidfd() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return false;
  const Fd one(pair[0]), other(pair[1]);
  int fd = -1;
  socklen_t size = sizeof fd;
  const bool has = ::getsockopt(one.get(), SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0;
  const Fd pidfd(has ? fd : -1);
  return has;
}

bool is_there(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}

}  // namespace

DoctorFacts gather_facts(const Context& context, const std::string& root) {
  DoctorFacts f;
  f.as_root = ::geteuid() == 0;
  f.running = root.empty();
  f.shim = look(root, kShim);
  f.waiter = look(root, "/usr/lib/opelog/opelog-waiter");
  f.daemon = look(root, "/usr/sbin/opelogd");
  f.config = look(root, context.config);
  f.enrolled = look(root, kEnrolledFile);
  f.login_socket = look("", "/run/opelog/login.sock");
  f.control_socket = look("", context.control);
  auto policy = load_policy(f.config.path, Trust::kAny);
  if (policy)
    f.policy = std::move(policy->policy);
  else
    f.policy_error = policy.error().message;
  const std::string directory = !context.directory.empty() ? context.directory
                                : f.policy                 ? f.policy->directory
                                                           : Policy{}.directory;
  f.directory = look(root, directory);
  gather_accounts(root, f);
  gather_hooks(root, f);
  gather_directory(f);
  gather_recordings(f);
  if (!f.running) return f;
  f.systemd = is_there("/run/systemd/system");
  f.unit_installed =
      is_there("/usr/lib/systemd/system/opelogd.service") || is_there("/etc/systemd/system/opelogd.service");
  f.unit_enabled = is_there("/etc/systemd/system/multi-user.target.wants/opelogd.service");
  f.peer_pidfd = kernel_has_peer_pidfd();
  gather_daemon(context, f);
  return f;
}

}  // namespace opelog::cli
