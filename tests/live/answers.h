#pragma once

#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "ports/intake.h"

namespace dwell {

inline Submission submission(const std::vector<std::string>& records) {
  Submission all;
  for (const std::string& record : records) {
    all.bytes += record;
    all.ends.push_back(all.bytes.size());
  }
  return all;
}

// What submitters were answered, in the order they asked; a second answer fails the test. One
// thread at a time.
class Answers {
 public:
  std::function<void(SubmissionResult)> next() {
    all_.emplace_back();
    return [&slot = all_.back()](SubmissionResult result) {
      EXPECT_EQ(slot.text, "") << "answered twice";
      if (!result) {
        slot = {std::string(name(result.error().kind)), result.error().message};
        return;
      }
      for (const Outcome outcome : result->outcomes) {
        slot.text += (slot.text.empty() ? "" : " ") + std::string(name(outcome));
      }
      if (result->outcomes.empty()) slot.text = "nothing";
    };
  }

  // The outcomes, or the kind of error; "": not answered yet.
  const std::string& text(std::size_t i) const { return all_.at(i).text; }
  const std::string& error(std::size_t i) const { return all_.at(i).error; }
  std::vector<std::string> texts() const {
    std::vector<std::string> texts;
    for (const Slot& slot : all_) texts.push_back(slot.text);
    return texts;
  }

 private:
  struct Slot {
    std::string text;
    std::string error;
  };
  std::deque<Slot> all_;
};

}  // namespace dwell
