#include "core/shared_memory_io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace opelog {

Result<SharedMemory> SharedMemory::map(Fd fd, std::size_t size) {
  SharedMemory memory;
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return error_from_errno(errno, "map shared memory");
  (void)::madvise(data, size, MADV_DONTDUMP);
  memory.fd_ = std::move(fd);
  memory.data_ = data;
  memory.size_ = size;
  return memory;
}

Result<SharedMemory> SharedMemory::create(const char* name, std::size_t size) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return error_from_errno(errno, "make shared memory");
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return error_from_errno(errno, "size shared memory");
  return map(std::move(fd), size);
}

bool SharedMemory::is_one(int fd) noexcept {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

Result<SharedMemory> SharedMemory::adopt(Fd fd, std::size_t size) {
  struct stat st {};
  if (!is_one(fd.get()) || ::fstat(fd.get(), &st) != 0 || st.st_size < static_cast<off_t>(size))
    return Error{Code::kInvalid, "this is no shared memory of ours", 0};
  return map(std::move(fd), size);
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

void SharedMemory::lock(std::size_t first) noexcept {
  if (data_ != nullptr) (void)::mlock(data_, first);
}

void SharedMemory::swap(SharedMemory& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
}

}  // namespace opelog
