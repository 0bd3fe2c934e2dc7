#include "core/decoder.h"
#include "http/api/cursor.h"
#include "http/api/list_questions.h"
#include "questions/timeline.h"

namespace dwell {
namespace {

constexpr std::size_t kBytesOfRow = 96;  // about, in any representation

class TimelineQuestion final : public ListQuestion {
 public:
  TimelineQuestion(const std::string& device, Timestamp start, Timestamp end, RowOrder order)
      : timeline_(device, start, end, order) {}

  std::string filter() const override {
    const Scan& scan = timeline_.scan();
    return fmt::format("{}\n{}\n{}\n{}", timeline_.device(), to_ms(scan.start), to_ms(scan.end),
                       scan.order == RowOrder::descending);
  }
  std::string place() const override { return row_place(timeline_.rows().back()); }
  bool go_on(std::string_view place) override {
    const auto row = parse_row_place(place);
    if (row) timeline_.start_behind(*row);
    return row.has_value();
  }

  void begin(Representation representation, std::string& out) override {
    writer_.emplace(representation, timeline_.device());
    writer_->begin(out);
  }
  boost::asio::awaitable<Result<bool>> page(RowReader& reader, std::size_t limit,
                                            std::string& out) override {
    // No store need be able to look for what none can hold.
    if (!is_valid_device_id(timeline_.device())) co_return false;
    if (auto read = co_await timeline_.read(reader, limit); !read) co_return pass(read);
    out.reserve(out.size() + timeline_.rows().size() * kBytesOfRow);
    for (const Row& row : timeline_.rows()) writer_->add(row, out);
    co_return timeline_.has_more();
  }
  void end(const std::optional<std::string>& next, std::string& out) override {
    writer_->end(next, out);
  }

 private:
  Timeline timeline_;
  std::optional<TimelineWriter> writer_;
};

}  // namespace

std::shared_ptr<ListQuestion> timeline_question(Parameters& parameters, const Target& target,
                                                Timestamp /*now*/) {
  const auto start = parameters.time("start", kEarliest);
  const auto end = parameters.time("end", kLatest);
  const bool is_descending = parameters.choice("order", "asc", "desc");
  return std::make_shared<TimelineQuestion>(
      target.segments[1], start, end, is_descending ? RowOrder::descending : RowOrder::ascending);
}

}  // namespace dwell
