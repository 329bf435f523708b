// The values that only a policy has: user ids, names, programs, addresses, modes, notices.
//
// Each reads one value of the file into its field, or complains and leaves the field as it is. Which key
// holds which value is the table in policy_parse.cc. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/policy.h"
#include "core/yaml_values.h"

namespace opelog {

void read_uids(ValueReader& reader, const YamlNode& node, Match& m);
void read_names(ValueReader& reader, const YamlNode& node, std::vector<std::string>& target);
void read_programs(ValueReader& reader, const YamlNode& node, std::vector<std::string>& target);
void read_clients(ValueReader& reader, const YamlNode& node, Match& m);
void read_mode(ValueReader& reader, const YamlNode& node, unsigned& mode);
void read_name_template(ValueReader& reader, const YamlNode& node, Policy& p);
void read_group(ValueReader& reader, const YamlNode& node, bool may_be_empty, std::string& target);
void read_notice(ValueReader& reader, const YamlNode& node, Rule& rule);
void read_rule_name(ValueReader& reader, const YamlNode& node, Rule& rule);

}  // namespace opelog
