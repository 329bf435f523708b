#include "record/entry_desk_io.h"

#include <algorithm>
#include <utility>

#include "core/clock_io.h"

namespace opelog::record {

LeftOutTeller::LeftOutTeller(Loop& loop, EntryBound& bound, Tell tell)
    : bound_(bound), tell_(std::move(tell)), timer_(loop, [this] {
        for (const EntriesLeftOut& of_user : bound_.due(mono_now())) tell_(of_user);
        arm();
      }) {}

void LeftOutTeller::arm() {
  const auto deadline = bound_.deadline();
  if (!deadline || timer_.active()) return;
  timer_.start(static_cast<std::uint64_t>(std::max<std::int64_t>(0, *deadline - mono_now()) / kUsPerMs + 1));
}

void LeftOutTeller::finish() {
  for (const EntriesLeftOut& of_user : bound_.rest()) tell_(of_user);
}

ViewDesk::ViewDesk(Loop& loop, FactSink facts)
    : facts_(std::move(facts)), teller_(loop, table_.bound(), [this](const EntriesLeftOut& of_user) {
        facts_({Level::kWarning,
                "views-left-out",
                "a user read more than the ledger takes: " + std::to_string(of_user.count) +
                    " readings are counted, not entered",
                {{"uid", std::to_string(of_user.uid)}, {"count", std::to_string(of_user.count)}}});
        if (enter_left_out) enter_left_out(of_user);
      }) {}

void ViewDesk::viewed(const Viewing& viewing) {
  if (table_.step(viewing, mono_now()) == ViewTable::Verdict::kEnter && enter) enter(viewing);
  teller_.arm();
}

// The log has each of them, entered or not.
UnrecordedDesk::UnrecordedDesk(Loop& loop)
    : teller_(loop, bound_, [this](const EntriesLeftOut& of_user) {
        if (enter_left_out) enter_left_out(of_user);
      }) {}

void UnrecordedDesk::unrecorded(const UnrecordedLogin& login) {
  if (bound_.admit(login.uid, mono_now()) && enter) enter(login);
  teller_.arm();
}

}  // namespace opelog::record
