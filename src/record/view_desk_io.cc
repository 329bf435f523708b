#include "record/view_desk_io.h"

#include <algorithm>
#include <utility>

#include "core/clock_io.h"

namespace opelog::record {

ViewDesk::ViewDesk(Loop& loop, FactSink facts)
    : facts_(std::move(facts)), timer_(loop, [this] {
        tell(table_.due(mono_now()));
        arm();
      }) {}

void ViewDesk::arm() {
  const auto deadline = table_.deadline();
  if (!deadline || timer_.active()) return;
  timer_.start(static_cast<std::uint64_t>(std::max<std::int64_t>(0, *deadline - mono_now()) / kUsPerMs + 1));
}

void ViewDesk::viewed(const Viewing& viewing) {
  if (table_.step(viewing, mono_now()) == ViewTable::Verdict::kEnter && enter) enter(viewing);
  arm();
}

void ViewDesk::tell(const std::vector<ViewsLeftOut>& left_out) {
  for (const ViewsLeftOut& of_user : left_out) {
    facts_({Level::kWarning,
            "views-left-out",
            "a user read more than the ledger takes: " + std::to_string(of_user.count) +
                " readings are counted, not entered",
            {{"uid", std::to_string(of_user.uid)}, {"count", std::to_string(of_user.count)}}});
    if (enter_left_out) enter_left_out(of_user);
  }
}

void ViewDesk::finish() {
  tell(table_.rest());
}

}  // namespace opelog::record
