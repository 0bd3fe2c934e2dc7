#include "core/decoder.h"
#include "http/api/cursor.h"
#include "http/api/list_questions.h"
#include "questions/presence.h"

namespace dwell {
namespace {

class PresenceQuestion final : public ListQuestion {
 public:
  PresenceQuestion(Timestamp at, bool is_asked_for) : is_asked_for_(is_asked_for) {
    query_.at = at;
  }

  // Further pages are about the moment the first one was about, which the cursor carries.
  std::string filter() const override { return "presence"; }
  std::string place() const override { return presence_place({query_.at, *query_.after}); }
  bool go_on(std::string_view place) override {
    auto found = parse_presence_place(place);
    if (!found || !is_valid_device_id(found->device)) return false;
    if (is_asked_for_ && found->at != query_.at) return false;
    query_.at = found->at;
    query_.after = std::move(found->device);
    return true;
  }

  void begin(Representation representation, std::string& out) override {
    writer_.emplace(representation, query_.at);
    writer_->begin(out);
  }
  boost::asio::awaitable<Result<bool>> page(RowReader& reader, std::size_t limit,
                                            std::string& out) override {
    query_.limit = limit;
    auto page = co_await presence(reader, query_);
    if (!page) co_return pass(page);
    for (const Presence& presence : page->inside) writer_->add(presence, out);
    query_.after = std::move(page->next);
    co_return query_.after.has_value();
  }
  void end(const std::optional<std::string>& next, std::string& out) override {
    writer_->end(next, out);
  }

 private:
  PresenceQuery query_;
  bool is_asked_for_;  // the moment, by a parameter
  std::optional<PresenceWriter> writer_;
};

}  // namespace

std::shared_ptr<ListQuestion> presence_question(Parameters& parameters, const Target& target,
                                                Timestamp now) {
  const auto at = parameters.time("at", now);
  return std::make_shared<PresenceQuestion>(at, target.parameter("at") != nullptr);
}

}  // namespace dwell
