// Desks for what users cause to be entered in the ledger: each hands on what is to be entered, and how much
// was not. ViewDesk: what auditors say they read. UnrecordedDesk: logins that are in no recording.
#pragma once

#include <functional>
#include <string>

#include "core/fact.h"
#include "core/loop_io.h"
#include "record/entry_bound.h"
#include "record/unrecorded_login.h"
#include "record/view_table.h"

namespace opelog::record {

/// Tells of each user once in a window how much was left out.
class LeftOutTeller {
 public:
  using Tell = std::function<void(const EntriesLeftOut& left_out)>;
  LeftOutTeller(Loop& loop, EntryBound& bound, Tell tell);

  /// After each admit().
  void arm();
  /// Before the loop ends: what was left out so far.
  void finish();

 private:
  EntryBound& bound_;
  Tell tell_;
  Timer timer_;
};

class ViewDesk {
 public:
  ViewDesk(Loop& loop, FactSink facts);

  std::function<void(const Viewing& viewing)> enter;
  LeftOutTeller::Tell enter_left_out;

  void viewed(const Viewing& viewing);
  void finish() { teller_.finish(); }

 private:
  FactSink facts_;
  ViewTable table_;
  LeftOutTeller teller_;
};

class UnrecordedDesk {
 public:
  explicit UnrecordedDesk(Loop& loop);

  UnrecordedSink enter;
  LeftOutTeller::Tell enter_left_out;

  void unrecorded(const UnrecordedLogin& login);
  void finish() { teller_.finish(); }

 private:
  EntryBound bound_;
  LeftOutTeller teller_;
};

}  // namespace opelog::record
