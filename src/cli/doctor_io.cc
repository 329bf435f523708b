#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands_io.h"
#include "cli/doctor_facts_io.h"
#include "core/fact.h"
#include "format/json_text.h"

namespace opelog::cli {
namespace {

struct DoctorArguments {
  std::string root;
  bool json = false, all = false;
};

const char* colour_of(Grade grade) {
  switch (grade) {
    case Grade::kGood:
      return "32";
    case Grade::kNote:
      return "36";
    case Grade::kWarning:
      return "33";
    case Grade::kBroken:
      return "31";
  }
  return "";
}

std::string text_of(const std::vector<Finding>& findings, bool all) {
  const bool colour = use_colour();
  std::string out;
  std::size_t good = 0;
  for (const auto& finding : findings) {
    if (finding.grade == Grade::kGood) {
      ++good;
      if (!all) continue;
    }
    std::string word = grade_word(finding.grade);
    const std::string pad(8 - word.size(), ' ');
    if (colour) word = std::string("\x1B[") + colour_of(finding.grade) + "m" + word + "\x1B[0m";
    out += word + pad + printable(finding.what) + "\n";
    if (!finding.remedy.empty()) out += "        -> " + printable(finding.remedy) + "\n";
  }
  return out + std::to_string(good) + " of " + std::to_string(findings.size()) + " checks good\n";
}

std::string json_of(const std::vector<Finding>& findings) {
  std::string list = "[";
  for (const auto& finding : findings) {
    format::JsonObject one;
    one.text("grade", grade_word(finding.grade)).text("what", finding.what).text("remedy", finding.remedy);
    list += (list.size() > 1 ? ",\n" : "\n") + std::move(one).take();
  }
  format::JsonObject json;
  json.number("exit", doctor_exit(findings)).raw("findings", list + "]");
  return std::move(json).take() + "\n";
}

ExitCode run_doctor(const DoctorArguments& arguments, const Context& context) {
  std::string root = arguments.root;
  while (!root.empty() && root.back() == '/') root.pop_back();
  const auto findings = judge(gather_facts(context, root));
  const ExitCode printed = print(arguments.json ? json_of(findings) : text_of(findings, arguments.all));
  return printed != kOk ? printed : static_cast<ExitCode>(doctor_exit(findings));
}

}  // namespace

void add_doctor(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<DoctorArguments>();
  auto* command = app.add_subcommand(
      "doctor", "Find every broken part of the installation and the command that repairs it");
  command->add_flag("-a,--all", arguments->all, "Also what is good");
  command->add_flag("--json", arguments->json, "One object: exit, findings");
  command->add_option("--root", arguments->root, "The system in this directory instead of the running one")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory.description(""));
  command->footer(
      "Changes nothing. Exit code 0 all well, 1 warnings, 2 something is broken. As root it sees more.\n"
      "\n"
      "Examples:\n"
      "  sudo opelog doctor\n"
      "  opelog doctor --json | jq '.findings[] | select(.grade == \"broken\")'\n");
  command->callback([arguments, &context, &exit] { exit = run_doctor(*arguments, context); });
}

}  // namespace opelog::cli
