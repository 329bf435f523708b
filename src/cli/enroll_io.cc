// enroll, unenroll: whose login shell is opelog-shell.
//
// Order matters. Enrolling writes the real shell down first and changes passwd last, unenrolling the other
// way round: at no moment is opelog-shell somebody's shell without opelogd knowing which shell is really his.
#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <memory>

#include "cli/account_files.h"
#include "cli/account_groups_io.h"
#include "cli/commands_io.h"
#include "cli/control_answer.h"
#include "cli/control_client_io.h"
#include "core/enrolled.h"
#include "core/fact.h"
#include "core/fd_io.h"
#include "core/policy_decide.h"
#include "core/policy_file_io.h"

namespace opelog::cli {
namespace {

constexpr std::size_t kAccountFileMax = 64U << 20;  ///< bytes of a passwd file: half a million accounts
constexpr const char* kUsermod = "/usr/sbin/usermod";

struct EnrollArguments {
  std::string user, root;
  bool dry_run = false;
};

struct Installation {
  Fd lock;  ///< on the directory of the enrolled file: two enrolments take turns
  std::vector<Enrolled> enrolled;
  std::optional<PasswdEntry> account;  ///< absent: not in /etc/passwd
  std::string user;
  std::string enrolled_path;
};

Error refusal(Code code, std::string message) {
  return Error{code, std::move(message), 0};
}

// opelog-shell as the package installs it; anything else would be a way around the recording, or no way in at
// all.
Status check_shim(const std::string& root) {
  const std::string path = root + kShim;
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) return error_from_errno(errno, path + " is not installed");
  const auto groups = read_file(root + "/etc/group", kAccountFileMax);
  const auto gid = groups ? find_group(*groups, "opelog") : std::nullopt;
  if (!gid)
    return refusal(Code::kNotFound,
                   "there is no group opelog; install the package again, or run `systemd-sysusers`");
  if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_gid != *gid || (st.st_mode & 07777) != 02711) {
    return refusal(Code::kInvalid, path +
                                       " must be a file of root:opelog with mode 2711; `chown root:opelog " +
                                       path + " && chmod 2711 " + path + "` repairs it");
  }
  return {};
}

Result<Installation> open_installation(const EnrollArguments& arguments) {
  if (::geteuid() != 0) return refusal(Code::kDenied, "only root may change login shells; use sudo");
  Installation here;
  here.enrolled_path = arguments.root + kEnrolledFile;
  here.user = arguments.user;
  const std::string folder = here.enrolled_path.substr(0, here.enrolled_path.rfind('/'));
  auto lock = open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
  if (!lock) return std::move(lock).error();
  if (::flock(lock->get(), LOCK_EX) != 0) return error_from_errno(errno, folder);
  here.lock = std::move(*lock);
  const auto text = read_file(here.enrolled_path, kEnrolledMaxBytes);
  if (text) {
    auto entries = parse_enrolled(*text, here.enrolled_path);
    if (!entries) return std::move(entries).error();
    here.enrolled = std::move(*entries);
  } else if (text.error().code != Code::kNotFound) {
    return text.error();
  }
  const auto passwd = read_file(arguments.root + "/etc/passwd", kAccountFileMax);
  if (!passwd) return passwd.error();
  here.account = find_user(parse_passwd(*passwd), arguments.user);
  return here;
}

Status save(const Installation& here) {
  const auto text = encode_enrolled(here.enrolled);
  if (!text) return text.error();
  return replace_file(here.enrolled_path, *text, 0644);
}

std::vector<Enrolled>::iterator entry_of(Installation& here) {
  return std::find_if(here.enrolled.begin(), here.enrolled.end(),
                      [&](const Enrolled& e) { return e.user == here.user; });
}

// usermod keeps passwd's lock and backups; no shell stands between.
Status set_shell(const EnrollArguments& arguments, const std::string& shell) {
  std::vector<std::string> words{"usermod"};
  if (!arguments.root.empty()) words.insert(words.end(), {"--prefix", arguments.root});
  words.insert(words.end(), {"-s", shell, "--", arguments.user});
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
  char* environment[] = {path, locale, nullptr};
  pid_t child = 0;
  const int error = ::posix_spawn(&child, kUsermod, nullptr, nullptr, argv.data(), environment);
  if (error != 0) return error_from_errno(error, kUsermod);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return error_from_errno(errno, kUsermod);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return refusal(Code::kIo,
                 "usermod could not set the shell of " + arguments.user + " to " + shell + " (status " +
                     std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)) + ")");
}

void tell_daemon(const EnrollArguments& arguments, const Context& context) {
  if (!arguments.root.empty()) return;
  auto client = ControlClient::connect(context.control);
  const auto answer =
      client ? client->ask(encode_request("reload")) : Result<std::vector<format::JsonValue>>(client.error());
  if (!answer) remark("the change counts once opelogd has read it: " + answer.error().message);
}

// An enrolled user whom no rule wants is not recorded: what somebody who has just enrolled him does not
// expect.
void remark_unrecorded(const EnrollArguments& arguments, const Context& context, const PasswdEntry& account) {
  const std::string file = arguments.root + context.config;
  const auto loaded = load_policy(file, Trust::kAny);
  if (!loaded)
    return remark("whether the policy records " + account.user + " is not known: " + loaded.error().message);
  LoginFacts login;
  login.uid = account.uid;
  login.user = account.user;
  login.groups = account_groups(arguments.root, account);
  if (may_be_recorded(loaded->policy, login)) return;
  remark("no rule of " + file + " records " + account.user + " (uid " + std::to_string(account.uid) +
         "): his logins pass unrecorded; `opelog policy explain --user " + account.user +
         " --parent sshd` says why");
}

ExitCode say(const EnrollArguments& arguments, const std::string& text) {
  return print((arguments.dry_run ? "would: " : "") + printable(text) + "\n");
}

ExitCode run_enroll(const EnrollArguments& arguments, const Context& context) {
  auto here = open_installation(arguments);
  if (!here) return complain(here.error());
  if (!here->account) {
    return complain(refusal(
        Code::kNotFound, "user " + arguments.user + " does not stand in " + arguments.root +
                             "/etc/passwd; for a user of a directory service set the login shell there to " +
                             kShim + " and add a line \"" + arguments.user + ":/real/shell\" to " +
                             kEnrolledFile));
  }
  const PasswdEntry account = *here->account;
  const auto present = entry_of(*here);
  if (account.shell == kShim) {
    if (present != here->enrolled.end()) {
      const ExitCode said = say(arguments, arguments.user + " is enrolled already, with " + present->shell);
      remark_unrecorded(arguments, context, account);
      return said;
    }
    return complain(refusal(
        Code::kInvalid,
        arguments.user +
            "'s login shell is opelog-shell already, and nobody knows his real one; `usermod -s /bin/bash " +
            arguments.user + "` first, then enroll"));
  }
  if (const auto shim = check_shim(arguments.root); !shim) return complain(shim.error());
  const Enrolled entry{arguments.user, account.shell};
  if (const auto good = check_enrolled(entry); !good) return complain(good.error());
  struct stat st {};
  if (::stat((arguments.root + entry.shell).c_str(), &st) != 0 || !S_ISREG(st.st_mode) ||
      (st.st_mode & 0111) == 0) {
    return complain(refusal(Code::kInvalid, arguments.user + "'s login shell " + entry.shell +
                                                " is no program; `usermod -s /bin/bash " + arguments.user +
                                                "` first"));
  }
  const std::string done = arguments.user + " enrolled: login shell " + kShim + ", real shell " + entry.shell;
  const auto say_done = [&] {
    const ExitCode said = say(arguments, done);
    remark_unrecorded(arguments, context, account);
    return said;
  };
  if (arguments.dry_run) return say_done();

  const auto before = here->enrolled;
  if (present != here->enrolled.end())
    *present = entry;
  else
    here->enrolled.push_back(entry);
  if (const auto saved = save(*here); !saved) return complain(saved.error());
  tell_daemon(arguments, context);
  if (const auto set = set_shell(arguments, kShim); !set) {
    here->enrolled = before;
    if (const auto saved = save(*here); !saved) complain(saved.error());
    tell_daemon(arguments, context);
    return complain(set.error());
  }
  return say_done();
}

// Of a user who does not stand in /etc/passwd only the line goes: his login shell is not ours to change.
ExitCode forget(const EnrollArguments& arguments, const Context& context, Installation& here) {
  const auto present = entry_of(here);
  if (present == here.enrolled.end()) {
    return complain(refusal(Code::kNotFound, "user " + arguments.user + " stands neither in " +
                                                 arguments.root + "/etc/passwd nor in " +
                                                 here.enrolled_path));
  }
  const passwd* elsewhere = arguments.root.empty() ? ::getpwnam(arguments.user.c_str()) : nullptr;
  if (elsewhere != nullptr && std::string(elsewhere->pw_shell) == kShim) {
    return complain(refusal(Code::kInvalid, arguments.user + "'s login shell is " + kShim +
                                                " in a directory service; set it to " + present->shell +
                                                " there first, then unenroll"));
  }
  const std::string done =
      arguments.user + " no longer enrolled; he does not stand in " + arguments.root + "/etc/passwd";
  if (arguments.dry_run) return say(arguments, done);
  here.enrolled.erase(present);
  if (const auto saved = save(here); !saved) return complain(saved.error());
  tell_daemon(arguments, context);
  return say(arguments, done);
}

ExitCode run_unenroll(const EnrollArguments& arguments, const Context& context) {
  auto here = open_installation(arguments);
  if (!here) return complain(here.error());
  if (!here->account) return forget(arguments, context, *here);
  const PasswdEntry account = *here->account;
  const auto present = entry_of(*here);
  if (present == here->enrolled.end()) {
    if (account.shell != kShim) {
      remark(arguments.user + " is not enrolled");
      return kNo;
    }
    return complain(refusal(Code::kInvalid, arguments.user + "'s login shell is opelog-shell, but " +
                                                kEnrolledFile +
                                                " does not know the real one; `usermod -s /bin/bash " +
                                                arguments.user + "` gives him one"));
  }
  const Enrolled entry = *present;
  // Somebody may have given him another shell meanwhile: that one stays.
  const bool set_back = account.shell == kShim;
  const std::string done =
      arguments.user + " no longer enrolled: login shell " + (set_back ? entry.shell : account.shell);
  if (arguments.dry_run) return say(arguments, done);
  if (set_back) {
    if (const auto set = set_shell(arguments, entry.shell); !set) return complain(set.error());
  }
  here->enrolled.erase(present);
  if (const auto saved = save(*here); !saved) return complain(saved.error());
  tell_daemon(arguments, context);
  return say(arguments, done);
}

CLI::App* declare(CLI::App& app, const char* name, const char* description,
                  const std::shared_ptr<EnrollArguments>& arguments) {
  auto* command = app.add_subcommand(name, description);
  command->add_option("USER", arguments->user, "A user of /etc/passwd")->type_name("")->required();
  command->add_flag("--dry-run", arguments->dry_run, "Say what would be done, change nothing");
  command->add_option("--root", arguments->root, "The system in this directory instead of the running one")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory.description(""));
  return command;
}

}  // namespace

void add_enroll(CLI::App& app, const Context& context, int& exit) {
  auto in = std::make_shared<EnrollArguments>();
  auto* enroll = declare(app, "enroll", "Make opelog-shell a user's login shell: the strong hook (root)", in);
  enroll->footer(
      "The real shell is kept in /etc/opelog/enrolled, where only root can change it. The policy still "
      "decides whether\n"
      "his logins are recorded. Sessions that go on now are not touched.\n"
      "\n"
      "Examples:\n"
      "  sudo opelog enroll alice\n"
      "  sudo opelog enroll --dry-run alice\n");
  enroll->callback([in, &context, &exit] { exit = run_enroll(*in, context); });
  auto out = std::make_shared<EnrollArguments>();
  auto* unenroll = declare(app, "unenroll", "Give an enrolled user his real login shell back (root)", out);
  unenroll->footer("Example:\n  sudo opelog unenroll alice\n");
  unenroll->callback([out, &context, &exit] { exit = run_unenroll(*out, context); });
}

}  // namespace opelog::cli
