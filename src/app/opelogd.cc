// opelogd: the daemon. Reads its arguments and the first configuration, then hands over to app/daemon_io.h.

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <iostream>

#include "app/config_io.h"
#include "app/daemon_io.h"
#include "app/main_process_io.h"
#include "app/only_daemon_io.h"
#include "core/fact.h"
#include "core/log_io.h"
#include "record/kept_sessions_io.h"
#include "record/session_memory.h"
#include "record/systemd_io.h"

namespace {

// sysexits: systemd shows them by name.
constexpr int kExitUsage = 64, kExitUnavailable = 69, kExitSoftware = 70, kExitNoPermission = 77,
              kExitConfig = 78;

// The manager starts us again at once, because sessions wait; a policy with an error must not fill its
// journal.
constexpr unsigned kSecondsBeforeAnotherTry = 1;

int fail(const opelog::Error& error, int code) {
  std::fprintf(stderr, "opelogd: %s\n", opelog::printable(error.message).c_str());
  return code;
}

int run(int argc, char** argv) {
  opelog::app::Paths paths;
  bool check = false, log_to_stderr = false, kept_layout = false;
  CLI::App cli{"Records the sessions that the policy wants recorded, and guards the recordings.", "opelogd"};
  cli.set_version_flag("-V,--version", std::string("opelogd ") + OPELOG_VERSION);
  cli.add_option("--config", paths.policy, "policy file")->type_name("FILE")->capture_default_str();
  cli.add_option("--enrolled", paths.enrolled, "list of enrolled users and their real shells")
      ->type_name("FILE")
      ->capture_default_str();
  cli.add_option("--run-directory", paths.run, "directory of login.sock and control.sock")
      ->type_name("DIR")
      ->capture_default_str();
  cli.add_option("--fallback", paths.fallback,
                 "file that tells the shim what to do while the daemon is absent")
      ->type_name("FILE")
      ->capture_default_str();
  cli.add_option("--ledger-key", paths.ledger_key, "file of the secrets that sign the ledger")
      ->type_name("FILE")
      ->capture_default_str();
  cli.add_option("--shim", paths.shim, "the installed opelog-shell; only it is believed to be a shim")
      ->type_name("FILE")
      ->capture_default_str();
  cli.add_flag("--check", check, "read the configuration, say whether it is good, and leave (0 or 78)");
  cli.add_flag(
      "--kept-layout", kept_layout,
      "print the layout of the memory that sessions outlive a daemon in, and leave: they end under a daemon "
      "of another one (kept_layout of `opelog status --json`)");
  cli.add_flag("--log-stderr", log_to_stderr, "log to standard error whatever the policy says");
  cli.footer(
      "Examples:\n"
      "  opelogd --check                          is the configuration good?\n"
      "  opelogd --log-stderr --config my.yaml    run in the foreground with another policy\n\n"
      "Signals: SIGHUP reads the policy again and opens the log file anew, SIGUSR1 logs the state, SIGTERM "
      "ends all\n"
      "sessions and stops (a restart by systemd, or SIGUSR2, leaves them to the next daemon). Exit codes: 0 "
      "stopped, 64 usage, 69 sockets or guard unavailable, or another opelogd runs, 77 not root, 78 "
      "policy.");
  try {
    cli.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return cli.exit(e);
  } catch (const CLI::ParseError& e) {
    return fail(
        {opelog::Code::kInvalid, std::string(e.what()) + "; `opelogd --help` tells what is possible", 0},
        kExitUsage);
  }
  if (kept_layout) {
    std::printf("%u\n", opelog::record::kSessionMemoryLayout);
    return 0;
  }
  if (::geteuid() != 0) return fail({opelog::Code::kDenied, "must run as root", 0}, kExitNoPermission);
  ::umask(0077);
  if (!check && opelog::record::has_manager()) {
    if (const auto ended = opelog::app::split_from_main()) return *ended;
  }
  opelog::app::OnlyDaemon only;
  if (!check) {
    using opelog::app::Another;
    auto become = opelog::app::become_the_only_daemon(
        paths.run, opelog::record::has_manager() ? Another::kWait : Another::kRefuse);
    if (!become) return fail(become.error(), kExitUnavailable);
    only = std::move(*become);
  }

  auto config = opelog::app::load_config(paths);
  opelog::app::Before before{std::move(only.left), {}};
  if (!config && !check && opelog::record::are_sessions_passed()) {
    // Sessions wait for us: they go on under the policy that was in force, and the broken one is reported.
    opelog::app::Paths good_paths = paths;
    good_paths.policy = paths.run + opelog::app::kGoodPolicy;
    if (auto good = opelog::app::load_config(good_paths)) {
      before.rejected = config.error().message;
      config = std::move(good);
    }
  }
  if (!config && !check && opelog::record::has_manager()) ::sleep(kSecondsBeforeAnotherTry);
  if (!config) return fail(config.error(), kExitConfig);
  if (check) {
    for (const std::string& warning : config->warnings)
      std::fprintf(stderr, "opelogd: warning: %s\n", opelog::printable(warning).c_str());
    std::printf("%s: good (%s)\n", paths.policy.c_str(), config->policy.digest.c_str());
    return 0;
  }
  opelog::LogConfig log_config = config->policy.policy.log;
  if (log_to_stderr) log_config.target = opelog::LogTarget::kStderr;
  auto log = opelog::Log::open(log_config, "opelogd", {}, config->file_group);
  if (!log) return fail(log.error(), kExitConfig);

  opelog::app::Daemon daemon(paths, std::move(*config), std::move(*log), log_to_stderr, std::move(before));
  if (auto started = daemon.start(); !started) return fail(started.error(), kExitUnavailable);
  return daemon.run();
}

}  // namespace

int main(int argc, char** argv) {
  // What a session may have to hold is large, zeroed and seldom touched: it stays unallocated only when
  // mapped, and malloc would soon put it on the heap instead.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 16);
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {  // out of memory and the like: one line, then systemd starts us again
    std::fprintf(stderr, "opelogd: %s\n", e.what());
    return kExitSoftware;
  }
}
