// retain: compresses and prunes closed recordings as the policy's retention says. What is removed the daemon
// removes.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/commands_io.h"
#include "cli/control_answer.h"
#include "cli/control_client_io.h"
#include "cli/time_text.h"
#include "core/clock_io.h"
#include "core/fact.h"
#include "core/fd_io.h"
#include "core/policy_file_io.h"
#include "format/json_text.h"
#include "format/retention_io.h"

namespace opelog::cli {
namespace {

using format::RetainDecision;
using format::RetainedRecording;
using format::RetainStep;

constexpr MonoUs kRetainProgressUs = kUsPerS / 5;
/// The daemon gives back the blocks of large files before it answers.
constexpr int kRemoveSeconds = 600;

struct RetainArguments {
  bool dry_run = false, quiet = false, json = false;
};

class Retaining {
 public:
  Retaining(const RetainArguments& arguments, const Context& context, Retention policy, std::string directory)
      : arguments_(arguments),
        context_(context),
        policy_(std::move(policy)),
        directory_(std::move(directory)),
        shown_(!arguments.quiet && !arguments.json && ::isatty(STDERR_FILENO) == 1) {}

  ExitCode run() {
    auto recordings = gather();
    if (!recordings) return complain(recordings.error());
    auto free = format::free_bytes_of(directory_);
    if (!free) return complain(free.error());
    idle_holds_ = format::idle_holds(policy_, *recordings);
    for (const std::string& sentence : idle_holds_) {
      clear_progress();
      remark(sentence);
    }
    carry_out(*recordings,
              format::decide_retention(policy_, *recordings, *free, wall_now(), RetainStep::kAgeAndSpace));
    if (arguments_.dry_run) {
      // As if the first step had been done; what compression would save is not known.
      std::vector<RetainedRecording> left;
      std::uint64_t freed = *free + pruned_bytes_;
      for (const auto& r : *recordings) {
        if (std::find(pruned_.begin(), pruned_.end(), r.name) == pruned_.end()) left.push_back(r);
      }
      finish(left, format::decide_retention(policy_, left, freed, wall_now(), RetainStep::kSizes));
    } else {
      recordings = gather();
      if (!recordings) return complain(recordings.error());
      free = format::free_bytes_of(directory_);
      if (!free) return complain(free.error());
      finish(*recordings,
             format::decide_retention(policy_, *recordings, *free, wall_now(), RetainStep::kSizes));
    }
    clear_progress();
    const ExitCode printed = arguments_.json ? print(json()) : arguments_.quiet ? kOk : print(summary());
    return printed != kOk ? printed : worst_;
  }

 private:
  Result<std::vector<RetainedRecording>> gather() {
    return format::gather_recordings(
        directory_, [this](std::size_t done, std::size_t all) { progress("reading", done, all); });
  }

  void finish(const std::vector<RetainedRecording>& recordings, const format::RetainPlan& plan) {
    carry_out(recordings, plan);
    unmet_ = plan.unmet;
    for (const std::string& sentence : unmet_) {
      clear_progress();
      remark(sentence);
      worst_ = std::max(worst_, kNo);
    }
  }

  void carry_out(const std::vector<RetainedRecording>& recordings, const format::RetainPlan& plan) {
    std::size_t done = 0;
    // Space first: what is compressed takes some before it gives any back.
    for (const auto action :
         {RetainDecision::Action::kPrune, RetainDecision::Action::kCompress, RetainDecision::Action::kKeep}) {
      for (const RetainDecision& decision : plan.decisions) {
        if (decision.action != action || decision.why.empty()) continue;
        progress("retaining", done++, plan.decisions.size());
        one(recordings[decision.recording], decision);
      }
    }
  }

  void one(const RetainedRecording& r, const RetainDecision& decision) {
    std::string error;
    std::uint64_t after = 0;
    const bool prune = decision.action == RetainDecision::Action::kPrune;
    const bool compress = decision.action == RetainDecision::Action::kCompress;
    if (!arguments_.dry_run && (prune || compress)) {
      const Status done = prune ? ask(encode_prune(r, decision.reason)) : pack(r, after);
      if (!done) {
        clear_progress();
        worst_ = std::max(worst_, complain(done.error()));
        error = done.error().message;
      }
    }
    if (error.empty() && prune) {
      pruned_.push_back(r.name);
      pruned_bytes_ += r.bytes;
    }
    if (error.empty() && compress) {
      ++compressed_;
      compressed_from_ += r.plain_bytes;
      compressed_to_ += after;
    }
    tell(r, decision, after, error);
  }

  static std::string encode_prune(const RetainedRecording& r, format::PruneReason reason) {
    return std::move(format::JsonObject()
                         .text("op", "prune")
                         .text("recording", r.name)
                         .text("why", format::prune_word(reason)))
        .take();
  }

  Status pack(const RetainedRecording& r, std::uint64_t& after) {
    auto packed = format::compress_recording(directory_, r.name);
    if (!packed) return std::move(packed).error();
    after = *packed;
    return ask(encode_request("compressed", "recording", std::string_view(r.name)));
  }

  Status ask(const std::string& request) {
    if (!client_) {
      auto client = ControlClient::connect(context_.control, std::chrono::seconds(kRemoveSeconds));
      if (!client) return std::move(client).error();
      client_ = std::make_unique<ControlClient>(std::move(*client));
    }
    auto answered = client_->ask(request);
    if (answered) return {};
    client_.reset();  // after a broken answer the next one would be the last one's
    return std::move(answered).error();
  }

  void tell(const RetainedRecording& r, const RetainDecision& decision, std::uint64_t after,
            const std::string& error) {
    static constexpr const char* kWords[] = {"keep", "compress", "prune"};
    const char* word = kWords[static_cast<int>(decision.action)];
    if (arguments_.json) {
      format::JsonObject json;
      json.text("name", r.name)
          .text("id", r.id)
          .text("user", r.user)
          .number_u("bytes", r.bytes)
          .text("action", word);
      if (decision.action == RetainDecision::Action::kPrune)
        json.text("reason", format::prune_word(decision.reason));
      if (after > 0) json.number_u("compressed_bytes", after);
      json.text("why", decision.why);
      json.boolean("done",
                   !arguments_.dry_run && error.empty() && decision.action != RetainDecision::Action::kKeep);
      if (!error.empty()) json.text("error", error);
      lines_ += std::string(lines_.empty() ? "\n" : ",\n") + std::move(json).take();
      return;
    }
    if (arguments_.quiet || !error.empty()) return;
    clear_progress();
    std::string line = std::string(word) + std::string(10 - std::string_view(word).size(), ' ') + r.name +
                       " (" + format_size(r.bytes);
    if (after > 0) line += ", now " + format_size(after);
    if (print(printable(line + "): " + decision.why) + "\n") != kOk) worst_ = kFailed;
  }

  std::string summary() const {
    std::string text = arguments_.dry_run ? "would prune " : "pruned ";
    text += counted(pruned_.size(), "recording") + ", " + format_size(pruned_bytes_) +
            (arguments_.dry_run ? "; would compress " : "; compressed ") + std::to_string(compressed_) +
            ", " + format_size(compressed_from_);
    if (!arguments_.dry_run) text += " to " + format_size(compressed_to_);
    return text + "\n";
  }

  static std::string array_of(const std::vector<std::string>& sentences) {
    std::string all;
    for (const std::string& sentence : sentences) {
      all += all.empty() ? "" : ",";
      format::append_json_string(all, sentence);
    }
    return "[" + all + "]";
  }

  std::string json() const {
    format::JsonObject json;
    json.boolean("dry_run", arguments_.dry_run)
        .number_u("pruned", pruned_.size())
        .number_u("pruned_bytes", pruned_bytes_)
        .number_u("compressed", compressed_)
        .number_u("compressed_from", compressed_from_)
        .number_u("compressed_to", compressed_to_)
        .raw("unmet", array_of(unmet_))
        .raw("idle_holds", array_of(idle_holds_))
        .raw("recordings", "[" + lines_ + "]");
    return std::move(json).take() + "\n";
  }

  void progress(const char* what, std::size_t done, std::size_t all) {
    if (!shown_ || mono_now() - told_ < kRetainProgressUs) return;
    told_ = mono_now();
    on_line_ = true;
    (void)write_all(STDERR_FILENO, std::string("\r") + what + ": " + std::to_string(done) + " of " +
                                       std::to_string(all) + " recordings\x1B[K")
        .ok();
  }
  void clear_progress() {
    if (std::exchange(on_line_, false)) (void)write_all(STDERR_FILENO, "\r\x1B[K").ok();
  }

  const RetainArguments& arguments_;
  const Context& context_;
  Retention policy_;
  std::string directory_;
  bool shown_, on_line_ = false;
  MonoUs told_ = 0;
  std::unique_ptr<ControlClient> client_;
  ExitCode worst_ = kOk;
  std::vector<std::string> pruned_, unmet_, idle_holds_;
  std::uint64_t pruned_bytes_ = 0, compressed_ = 0, compressed_from_ = 0, compressed_to_ = 0;
  std::string lines_;  ///< of the JSON
};

ExitCode run_retain(const RetainArguments& arguments, const Context& context) {
  // Without --dry-run the daemon removes, and it has a directory of its own.
  if (!arguments.dry_run && !context.directory.empty()) {
    remark(
        "--directory: only with --dry-run; what is removed the daemon removes from the policy's directory");
    return kUsage;
  }
  auto policy = load_policy(context.config, arguments.dry_run ? Trust::kAny : Trust::kRoot);
  if (!policy) return complain(policy.error());
  const std::string directory = context.directory.empty() ? policy->policy.directory : context.directory;
  return Retaining(arguments, context, policy->policy.retention, directory).run();
}

}  // namespace

void add_retain(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<RetainArguments>();
  auto* command = app.add_subcommand(
      "retain", "Compress and remove closed recordings as the policy's retention says (root)");
  command->add_flag("--dry-run", arguments->dry_run, "Say what would be done, and do nothing");
  command->add_flag("-q,--quiet", arguments->quiet, "Only errors, and limits that cannot be kept");
  command->add_flag("--json", arguments->json, "One object with every decision");
  command->footer(
      "opelog-retain.timer runs this every hour. What is removed the daemon removes, and states it. Live, "
      "held\n"
      "and young recordings stay; if a limit cannot be kept then, it is said and the exit code is 1.\n"
      "\n"
      "Examples:\n"
      "  opelog retain --dry-run\n"
      "  opelog retain --dry-run --config /tmp/new.yaml      what another policy would do\n"
      "  opelog retain --json | jq -r '.recordings[] | select(.action==\"prune\").name'\n");
  command->callback([arguments, &context, &exit] { exit = run_retain(*arguments, context); });
}

}  // namespace opelog::cli
