#include "seal/ledger_io.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <utility>

#include "core/clock_io.h"
#include "seal/session_sealer_io.h"

namespace opelog::seal {
namespace {

constexpr std::uint64_t kTickMs = 60000;
constexpr std::uint64_t kSignRetryMs = 1000;

// The host's clock less the time since its boot, which a suspend does not change; nullopt if we were held up
// between the two looks.
std::optional<std::int64_t> clocks_apart() {
  const MonoUs before = boot_now();
  const std::int64_t apart = wall_now() - before;
  if (boot_now() - before >= kClockStepUs / 2) return std::nullopt;
  return apart;
}

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(Loop& loop, FactSink facts, const LedgerStart& start) {
  const Status locked = lock_secrets();
  if (!locked) facts({Level::kWarning, "keys-unlocked", locked.error().message, {}});
  auto files = open_ledger_files(start.place);
  if (!files) return std::move(files).error();
  // Before the files are read whole: without it that is in vain.
  auto key_file = KeyFile::open(start.place.key_file);
  if (!key_file) return std::move(key_file).error();
  const std::string origin = origin_of(start.place.host_id);
  auto state = recover_ledger(*files, origin);
  if (!state) return std::move(state).error();
  auto keys = continue_keys(*key_file, *state, origin);
  if (!keys) return std::move(keys).error();
  auto entries = duplicate(files->entries.get());
  if (!entries) return std::move(entries).error();
  auto checkpoints = duplicate(files->checkpoints.get());
  if (!checkpoints) return std::move(checkpoints).error();

  const bool clean = state->stopped;
  const std::string damage = state->damage;
  const SigningKey& log = keys->keys.coming_log ? *keys->keys.coming_log : keys->keys.log;
  const KeyEntry key{encode_verifier_key(log_key(origin, log.public_key())), keys->keys.epoch,
                     keys->keys.current.public_key(),
                     keys->made   ? "init"
                     : keys->lost ? "lost"
                                  : "log-lost"};
  const std::string pin = encode_verifier_key(epoch_key(origin, key.next));
  auto signer = std::make_unique<LedgerSigner>(std::move(*entries), std::move(*checkpoints),
                                               std::move(*key_file), origin, std::move(keys->keys));
  auto ledger = std::unique_ptr<Ledger>(
      new Ledger(loop, std::move(facts), std::move(*files), std::move(*state), std::move(signer)));
  if (!damage.empty())
    ledger->facts_(
        {Level::kError, "ledger-damaged", "the ledger was changed while nobody wrote it: " + damage, {}});
  if (keys->made || keys->lost || keys->log_lost) ledger->add(key);
  if (keys->made)
    ledger->facts_(
        {Level::kInfo, "ledger-made", "a new ledger; keep its key off this host: " + pin, {{"key", pin}}});
  if (keys->lost)
    ledger->facts_({Level::kError,
                    "ledger-keys-lost",
                    "no key links what comes to the ledger's past; pin the new one: " + pin,
                    {{"key", pin}}});
  if (keys->log_lost)
    ledger->facts_(
        {Level::kError,
         "ledger-log-lost",
         "the key that witnesses follow could not be read, and another one signs from now on: " + key.log,
         {{"key", key.log}}});
  ledger->add(BootEntry{start.boot_id, start.version, clean});
  if (!damage.empty()) ledger->add(LedgerGapEntry{"ledger", damage, 0});
  return ledger;
}

Ledger::Ledger(Loop& loop, FactSink facts, LedgerFiles files, LedgerState state,
               std::unique_ptr<LedgerSigner> signer)
    : loop_(loop),
      facts_(std::move(facts)),
      files_(std::move(files)),
      tree_(std::move(state.tree)),
      last_no_(state.last_no),
      signed_(state.last ? state.last->size : 0),
      interrupted_(std::move(state.open)),
      signer_(std::move(signer)),
      clocks_apart_(wall_now() - boot_now()),
      sign_timer_(std::make_unique<Timer>(loop, [this] { sign(); })),
      tick_(std::make_unique<Timer>(loop, [this] { tick(); })) {
  tick_->start(kTickMs, kTickMs);
}

Fd Ledger::entries_to_sync() const {
  auto copy = duplicate(files_.entries.get());
  return copy ? std::move(*copy) : Fd();
}

Ledger::~Ledger() {
  *alive_ = false;
}

// An entry once begun must be whole: what the file took in part comes first.
Status Ledger::put_owed() {
  while (!owed_.empty()) {
    const ssize_t put = ::write(files_.entries.get(), owed_.data(), owed_.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return error_from_errno(put < 0 ? errno : ENOSPC, "write the ledger");
    owed_.erase(0, static_cast<std::size_t>(put));
  }
  return {};
}

// What is owed, and that some could not even be owed. Only what is in the file may be signed.
Status Ledger::settle_debts() {
  if (auto put = put_owed(); !put) return put;
  if (dropped_ == 0) return {};
  add(LedgerGapEntry{"entries", problem_, std::exchange(dropped_, 0)});
  return put_owed();
}

void Ledger::add(EntryBody body) {
  look_at_clock();
  if (owed_.size() > kMaxOwedBytes) {
    ++dropped_;
    return;
  }
  const std::string line = encode_entry({tree_.size(), wall_now(), std::move(body)});
  entered(line, line + "\n");
  if (auto put = put_owed(); !put) failed(put.error());
}

Status Ledger::add_now(EntryBody body) {
  look_at_clock();
  return enter_now(encode_entry({tree_.size(), wall_now(), std::move(body)}));
}

// Written before it counts: what the file takes nothing of is not entered.
Status Ledger::enter_now(const std::string& line) {
  if (auto put = put_owed(); !put) {
    failed(put.error());
    return put;
  }
  std::string whole = line + "\n";
  ssize_t put = 0;
  do put = ::write(files_.entries.get(), whole.data(), whole.size());
  while (put < 0 && errno == EINTR);
  if (put <= 0) {
    const Error error = error_from_errno(put < 0 ? errno : ENOSPC, "write the ledger");
    failed(error);
    return error;
  }
  entered(line, whole.substr(static_cast<std::size_t>(put)));
  auto rest = put_owed();
  if (!rest) failed(rest.error());
  return rest;
}

// `owed` of the line is not in the file yet.
void Ledger::entered(const std::string& line, const std::string& owed) {
  owed_ += owed;
  tree_.append(leaf_hash(line));
  last_entry_ = mono_now();
  if (sign_timer_ && !sign_timer_->active()) sign_timer_->start(kCheckpointUs / kUsPerMs);
}

Result<format::Sealing> Ledger::open_session(const format::SessionInfo& info, const std::string& recording,
                                             const std::string& directory) {
  look_at_clock();
  auto key = SigningKey::generate();
  if (!key) return std::move(key).error();
  OpenedEntry opened{last_no_ + 1, info.id,      recording,          directory,        info.host,
                     info.host_id, info.boot_id, info.user,          info.uid,         info.client,
                     info.how,     info.rule,    info.policy_digest, key->public_key()};
  const std::string line = encode_entry({tree_.size(), wall_now(), std::move(opened)});
  const std::uint64_t index = tree_.size();
  auto put = enter_now(line);
  const bool begun = tree_.size() > index;
  if (begun) ++last_no_;
  if (!put) {
    // Begun, it will be in the file some day, and its recording never is.
    if (begun) add(ClosedEntry{last_no_, 0, leaf_hash(line), {}, kAbandoned, {}, {}});
    return Error{put.error().code, "the session cannot be entered in the ledger: " + put.error().message,
                 put.error().err};
  }
  return format::Sealing{std::make_unique<SessionSealer>(last_no_, leaf_hash(line), std::move(*key),
                                                         [this, alive = alive_](EntryBody body) {
                                                           if (*alive) told(std::move(body));
                                                         }),
                         line};
}

Result<std::unique_ptr<format::RecordingSealer>> Ledger::resume_session(
    const format::SealerMark& mark, std::array<std::uint64_t, 3>& covered) {
  auto sealer = SessionSealer::resume(
      mark,
      [this, alive = alive_](EntryBody body) {
        if (*alive) told(std::move(body));
      },
      covered, [this](std::uint64_t no) { resumed(no); });
  if (!sealer) return std::move(sealer).error();
  return std::unique_ptr<format::RecordingSealer>(std::move(*sealer));
}

void Ledger::told(EntryBody body) {
  const auto* closed = std::get_if<ClosedEntry>(&body);
  if (closed != nullptr && closed->n > 0)
    ended_.push_back(std::move(body));
  else
    add(std::move(body));
}

void Ledger::enter_ended(std::uint64_t count) {
  for (; !ended_.empty() && ended_entered_ < count; ++ended_entered_) {
    add(std::move(ended_.front()));
    ended_.pop_front();
  }
}

void Ledger::sign() {
  if (signing_) return;
  if (auto put = settle_debts(); !put) return signed_until(std::move(put).error());
  if (signed_ >= tree_.size()) return;
  signing_ = true;
  auto result = std::make_shared<Result<std::uint64_t>>(std::uint64_t{0});
  auto queued = run_work(
      loop_,
      [signer = signer_, result, size = tree_.size(), root = tree_.root(), now = wall_now()] {
        *result = signer->sign(size, root, now);
      },
      [this, result, alive = alive_] {
        if (!*alive) return;
        signing_ = false;
        signed_until(*result);
      });
  if (queued) return;
  signing_ = false;
  signed_until(queued.error());
}

// ---- rotation of the log key; the order of its steps is in ledger_signer_io.h

void Ledger::rotate_log(std::function<void(Result<RotatedLog>)> reply) {
  if (rotating_) return reply(Error{Code::kExists, "the key is being rotated already", 0});
  rotating_ = std::move(reply);
  draw_log();
}

void Ledger::end_rotation(Result<RotatedLog> result) {
  rotated_at_.reset();
  if (auto reply = std::exchange(rotating_, nullptr)) reply(std::move(result));
}

// Again after each checkpoint, until the signer is free and owes no former rotation its checkpoint.
void Ledger::draw_log() {
  if (!rotating_ || rotated_at_ || signing_ || !sign_timer_) return;
  if (signer_->keys().coming_log) return sign();
  signing_ = true;
  auto drawn = std::make_shared<Status>();
  auto queued = run_work(
      loop_, [signer = signer_, drawn] { *drawn = signer->draw_log(); },
      [this, drawn, alive = alive_] {
        if (!*alive) return;
        signing_ = false;
        if (!*drawn) {
          failed(drawn->error());
          end_rotation(drawn->error());
        } else {
          name_log();
        }
        if (sign_timer_) sign();
      });
  if (queued) return;
  signing_ = false;
  end_rotation(queued.error());
}

void Ledger::name_log() {
  const LedgerKeys& keys = signer_->keys();
  const std::string origin = signer_->origin();
  rotated_.former = encode_verifier_key(log_key(origin, keys.log.public_key()));
  rotated_.log = encode_verifier_key(log_key(origin, signer_->drawn()));
  const std::uint64_t index = tree_.size();
  auto entered = add_now(KeyEntry{rotated_.log, keys.epoch, keys.current.public_key(), "rotated"});
  if (tree_.size() == index) return end_rotation(entered.error());
  signer_->name_log(index);
  rotated_at_ = index;
}

void Ledger::signed_until(const Result<std::uint64_t>& size) {
  if (!size) {
    failed(size.error());
    if (rotated_at_)
      end_rotation(
          Error{size.error().code,
                "the new key stands in the ledger; what both keys sign is still to come, and comes by "
                "itself: " +
                    size.error().message,
                size.error().err});
    else
      end_rotation(size.error());
    if (sign_timer_) sign_timer_->start(kSignRetryMs);
    return;
  }
  problem_.clear();
  signed_ = *size;
  if (rotated_at_ && signed_ > *rotated_at_) {
    rotated_.size = signed_;
    facts_({Level::kWarning,
            "ledger-key-rotated",
            "the host's signatures for witnesses are made by another key: " + rotated_.log,
            {{"key", rotated_.log}, {"former", rotated_.former}}});
    end_rotation(rotated_);
  }
  draw_log();
  if (sign_timer_ && signed_ < tree_.size() && !sign_timer_->active())
    sign_timer_->start(kCheckpointUs / kUsPerMs);
}

// Ahead of an entry whose time would otherwise be a riddle; and once a minute.
void Ledger::look_at_clock() {
  const auto apart = clocks_apart();
  if (!apart || std::llabs(*apart - clocks_apart_) < kClockStepUs) return;
  const std::int64_t by = *apart - std::exchange(clocks_apart_, *apart);
  add(ClockEntry{by});
  facts_({Level::kWarning,
          "clock-set",
          "the host's clock was set by " + std::to_string(by / kUsPerMs) + " ms",
          {}});
}

void Ledger::tick() {
  look_at_clock();
  clocks_apart_ = clocks_apart().value_or(clocks_apart_);  // what is slewed does not add up
  if (mono_now() - last_entry_ >= kHeartbeatUs) add(HeartbeatEntry{live_ ? live_() : 0});
}

void Ledger::failed(const Error& error) {
  if (problem_.empty()) facts_({Level::kError, "ledger-failed", error.message, {}});
  problem_ = error.message;
}

void Ledger::quiesce() {
  sign_timer_.reset();
  tick_.reset();
}

void Ledger::finish(bool on_disk, bool sign) {
  if (on_disk) enter_ended(ended());
  (void)settle_debts();
  add(ShutdownEntry{});
  if (!sign) return;
  for (int tries = 0; signed_ < tree_.size() && tries < 2; ++tries) {
    if (auto put = put_owed(); !put) return failed(put.error());
    const auto size = signer_->sign(tree_.size(), tree_.root(), wall_now());
    signed_until(size);
    if (!size) return;
  }
}

}  // namespace opelog::seal
