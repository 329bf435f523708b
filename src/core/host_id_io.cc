#include "core/host_id_io.h"

#include "core/fd_io.h"

namespace opelog {
namespace {

constexpr std::size_t kMaxIdBytes = 4096;

std::string first_line(const std::string& path) {
  auto text = read_file(path, kMaxIdBytes);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

}  // namespace

std::string machine_id() {
  return first_line("/etc/machine-id");
}

std::string boot_id() {
  return first_line("/proc/sys/kernel/random/boot_id");
}

}  // namespace opelog
