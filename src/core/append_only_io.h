// The append-only flag (FS_APPEND_FL, `chattr +a`) of a file: set, clear, look.
//
// Looking needs no descriptor (statx), so it raises no inotify event; setting goes through a
// descriptor, so a name that is exchanged meanwhile cannot redirect it.
#pragma once

#include <string>

#include "core/result.h"

namespace opelog {

/// Sets or clears the flag on an open regular file. Code::kUnsupported where the file system has none
/// (tmpfs, overlay, NFS), Code::kDenied without CAP_LINUX_IMMUTABLE.
Status set_append_only(int fd, bool on);

/// The flag by statx on `name` below `dirfd`, symlinks not followed; false where unsupported.
Result<bool> has_append_only(int dirfd, const std::string& name);

/// The same for an open descriptor.
Result<bool> has_append_only(int fd);

/// Whether the directory's file system keeps the flag: tried on a temporary unnamed file.
Status probe_append_only(const std::string& directory);

}  // namespace opelog
