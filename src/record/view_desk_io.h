// ViewDesk: takes what auditors say they read, and hands on what is to be entered, and how much was not.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/fact.h"
#include "core/loop_io.h"
#include "record/view_table.h"

namespace opelog::record {

class ViewDesk {
 public:
  ViewDesk(Loop& loop, FactSink facts);

  std::function<void(const Viewing& viewing)> enter;
  std::function<void(const ViewsLeftOut& left_out)> enter_left_out;

  void viewed(const Viewing& viewing);
  /// Before the loop ends: what was left out so far.
  void finish();

 private:
  void arm();
  void tell(const std::vector<ViewsLeftOut>& left_out);

  FactSink facts_;
  ViewTable table_;
  Timer timer_;
};

}  // namespace opelog::record
