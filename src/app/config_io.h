// Everything the daemon reads from outside its sessions, loaded as one value: policy, enrolled users, group
// ids.
//
// Blocking (files, name service): at start called directly, on reload from run_work(). A complete new Config
// is made or an Error; nothing is half applied.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/policy.h"
#include "core/policy_file_io.h"
#include "core/result.h"

namespace opelog::app {

struct Paths {
  std::string policy = "/etc/opelog/opelog.yaml";
  std::string enrolled = "/etc/opelog/enrolled";
  std::string fallback = "/var/lib/opelog/fallback";
  std::string ledger_key = "/var/lib/opelog/ledger.key";
  std::string run = "/run/opelog";
  std::string shim = "/usr/bin/opelog-shell";
  std::string utmp = "/run/utmp";
};

struct Config {
  LoadedPolicy policy;
  std::map<std::string, std::string> enrolled;  ///< user to real shell
  std::uint32_t file_group = 0;
  std::uint32_t tty_group = 5;
  std::string fallback;               ///< text for Paths::fallback
  std::vector<std::string> warnings;  ///< what is odd but no reason to refuse
};

Result<Config> load_config(const Paths& paths);

/// The policy in force, for a daemon that finds a broken one and has sessions to go on with. Below
/// Paths::run.
constexpr const char* kGoodPolicy = "/policy.good";
/// Keeps the bytes whose digest is `digest`; nothing if the file has changed meanwhile.
void remember_good_policy(const Paths& paths, const std::string& digest);

}  // namespace opelog::app
