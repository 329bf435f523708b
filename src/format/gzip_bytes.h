// gzip: the one place that knows zlib. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "format/unpack.h"

namespace opelog::format {

/// The end of a member: checksum and size.
constexpr std::size_t kGzipTailBytes = 8;

/// Any number of members, one after the other. nullptr without memory.
std::unique_ptr<Unpacker> gzip_unpacker();
/// What the member that ends in `tail` says it holds, modulo 4 GiB.
std::optional<std::uint64_t> gzip_claimed_size(std::string_view tail);

}  // namespace opelog::format
