// Tells the daemon what is read, so that the ledger says it (docs/evidence.md). Never keeps anybody from
// reading: it waits for less than a second, and says in one line what it could not enter.
#pragma once

#include <memory>
#include <string>

#include "cli/context_io.h"
#include "cli/find_io.h"
#include "format/view_word.h"

namespace opelog::cli {

/// `recording` ("" where it is of many) of `directory` is about to be read. Does nothing unless that is this
/// host's directory of recordings, and the policy wants it.
void tell_viewed(const Context& context, const std::string& directory, const std::string& recording,
                 format::View what);

/// Finds and opens a recording to be read so.
Result<std::unique_ptr<format::RecordingReader>> open_session(const Context& context,
                                                              const std::string& session, format::View what);

}  // namespace opelog::cli
