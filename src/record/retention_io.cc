#include "record/retention_io.h"

#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "core/clock_io.h"

namespace opelog::record {

/// One request, from the look to the answer. The thread has it while it works, the loop between.
struct RetentionDesk::Job {
  std::string directory, name;
  Retention policy;
  std::optional<format::PruneReason> why;  ///< nullopt: compressed()
  Reply reply;
  std::unique_ptr<RecordingRemoval> removal;
  Status status;
};

RetentionDesk::RetentionDesk(Loop& loop, FactSink facts, Removed removed)
    : loop_(loop), facts_(std::move(facts)), removed_(std::move(removed)) {}
RetentionDesk::~RetentionDesk() = default;

void RetentionDesk::configure(std::string directory, Retention policy) {
  directory_ = std::move(directory);
  policy_ = std::move(policy);
}

void RetentionDesk::prune(const std::string& recording, format::PruneReason why, Reply reply) {
  look(std::make_shared<Job>(Job{directory_, recording, policy_, why, std::move(reply), nullptr, {}}));
}

void RetentionDesk::compressed(const std::string& recording, Reply reply) {
  look(std::make_shared<Job>(
      Job{directory_, recording, policy_, std::nullopt, std::move(reply), nullptr, {}}));
}

void RetentionDesk::look(std::shared_ptr<Job> job) {
  if (busy_) return job->reply(Error{Code::kExists, "another recording is being removed; ask again", 0});
  busy_ = true;
  auto queued = run_work(
      loop_,
      [job] {
        auto found =
            job->why ? RecordingRemoval::look(job->directory, job->name, job->policy, wall_now())
                     : RecordingRemoval::look_compressed(job->directory, job->name, job->policy, wall_now());
        if (found)
          job->removal = std::move(*found);
        else
          job->status = std::move(found).error();
      },
      [this, job, alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired()) looked(job);
      });
  if (!queued) finish(job, std::move(queued).error());
}

void RetentionDesk::looked(const std::shared_ptr<Job>& job) {
  if (!job->status) return finish(job, job->status.error());
  if (job->why) {
    if (const std::string kept =
            format::not_asked_for(job->policy, job->removal->recording(), *job->why, wall_now());
        !kept.empty())
      return finish(job, Error{Code::kDenied, job->name + ": " + kept, 0});
  }
  Status allowed;
  if (job->why && before_prune) allowed = before_prune(*job->removal, *job->why);
  if (!job->why && before_compressed) allowed = before_compressed(*job->removal);
  if (!allowed) return finish(job, std::move(allowed).error());
  tell_guard(*job);
  auto first = std::make_shared<Fd>(synced_before ? synced_before() : Fd());
  auto queued = run_work(
      loop_,
      [job, first] {
        if (*first && ::fdatasync(first->get()) != 0)
          job->status = error_from_errno(errno, "sync the ledger");
        else
          job->status = job->removal->remove();
      },
      [this, job, alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired()) removed(job);
      });
  if (!queued) finish(job, std::move(queued).error());
}

void RetentionDesk::removed(const std::shared_ptr<Job>& job) {
  tell_guard(*job);  // again: it may have looked meanwhile
  const auto& recording = job->removal->recording();
  const std::string bytes = std::to_string(recording.bytes);
  std::vector<std::pair<std::string, std::string>> fields = {{"recording", recording.name}};
  if (!recording.id.empty()) fields.emplace_back("session", recording.id);
  fields.emplace_back("user", recording.user);
  if (job->why) fields.emplace_back("why", format::prune_word(*job->why));
  fields.emplace_back("files", std::to_string(job->removal->files().size()));
  fields.emplace_back("bytes", bytes);
  if (!job->why) fields.emplace_back("compressed", std::to_string(job->removal->compressed_bytes()));
  if (!job->status) {
    facts_({Level::kError, job->why ? "recording-prune-failed" : "recording-compress-failed",
            "a recording was removed in part at most: " + job->status.error().message, std::move(fields)});
    return finish(job, job->status.error());
  }
  if (job->why) {
    facts_({Level::kInfo, "recording-pruned", "a recording was removed, as the policy's retention says",
            std::move(fields)});
  } else {
    facts_({Level::kInfo, "recording-compressed",
            "compressed files took the place of a recording's plain ones", std::move(fields)});
  }
  finish(job, static_cast<std::int64_t>(recording.bytes));
}

void RetentionDesk::tell_guard(const Job& job) {
  if (!removed_) return;
  for (const auto& file : job.removal->files()) removed_(file.inode);
}

void RetentionDesk::finish(const std::shared_ptr<Job>& job, Result<std::int64_t> result) {
  busy_ = false;
  job->reply(std::move(result));
}

}  // namespace opelog::record
