// Gathers what doctor_checks.h judges. Looks only: nothing is changed, nothing is started.
#pragma once

#include "cli/context_io.h"
#include "cli/doctor_checks.h"

namespace opelog::cli {

/// `root` is "" for the running system, else the directory of another one.
DoctorFacts gather_facts(const Context& context, const std::string& root);

}  // namespace opelog::cli
