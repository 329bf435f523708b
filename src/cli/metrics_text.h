// The daemon's status as Prometheus reads it (text exposition format 0.0.4). Pure.
#pragma once

#include <string>

#include "format/json_text.h"

namespace opelog::cli {

/// Of an answer to `status`: every metric with HELP and TYPE, each name once (docs/operating.md lists them).
std::string metrics_text(const format::JsonValue& answer);

/// When nobody answers: `opelog_up 0`, and nothing that would look like a value.
std::string metrics_without_daemon();

}  // namespace opelog::cli
