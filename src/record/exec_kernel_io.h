// ExecKernel: what exec capture has in the kernel: attached programs and their maps, as descriptors.
//
// Nothing is pinned: they live as long as somebody holds the descriptors, which may be somebody who keeps
// them for the next daemon. That one finds them again among what was kept (find), and either goes on with
// them or makes its own and takes over who belongs to what. Whose descriptors they are is the kernel's word:
// names, types and sizes of maps, which program uses which map, and which link runs which program.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/result.h"
#include "record/exec_maps.h"

namespace opelog::record {

class ExecKernel {
 public:
  enum Map { kRing, kMembers, kLosses, kTold, kReleased, kConstants, kState, kMaps };

  /// What the programs of this build would have for constants.
  static opelog_exec_constants constants_for(std::uint32_t ring_bytes, std::uint32_t wake_bytes,
                                             const char* host_mounts);
  /// Loads and attaches; takes about a quarter of a second (the kernel checks the programs). Muted, they
  /// deliver nothing until take_over(). Code::kUnsupported if the kernel cannot do it, kDenied if we may not.
  static Result<std::unique_ptr<ExecKernel>> load(const opelog_exec_constants& constants, bool muted);

  struct Found {
    std::unique_ptr<ExecKernel> fitting;              ///< whole, and with just these constants
    std::vector<std::unique_ptr<ExecKernel>> others;  ///< whose maps can be read
    std::string problem;                              ///< of what could not be made use of; "" if nothing
  };
  /// Takes the descriptors; those of which nothing is made are closed.
  static Found find(std::vector<Fd> kept, const opelog_exec_constants& constants);

  ~ExecKernel();
  ExecKernel(const ExecKernel&) = delete;
  ExecKernel& operator=(const ExecKernel&) = delete;

  /// Duplicates of all that must survive; all or none.
  [[nodiscard]] std::vector<Fd> keep() const;
  [[nodiscard]] int map(Map which) const { return maps_[which].get(); }
  [[nodiscard]] opelog_exec_state& state() const { return *state_; }
  /// Sessions and begun logins whose losses are counted.
  [[nodiscard]] std::vector<std::uint64_t> counted() const;
  [[nodiscard]] std::uint64_t number(Map which, std::uint64_t key) const;  ///< 0 if there is none

  /// From now on these deliver, and `old` does not; losses are told on from where they were. Returns who had
  /// living processes: one of their events may be missing.
  std::set<std::uint64_t> take_over(const ExecKernel& old);

 private:
  ExecKernel() = default;
  Status map_state();
  void take_numbers(const ExecKernel& old);
  void take_members(const ExecKernel& old, std::uint64_t begun_before, std::set<std::uint64_t>& whose);
  void take_member(const ExecKernel& old, int pidfd, std::uint64_t begun_before,
                   std::set<std::uint64_t>& whose);

  std::array<Fd, kMaps> maps_;
  std::vector<Fd> programs_, links_;
  opelog_exec_state* state_ = nullptr;
};

}  // namespace opelog::record
