#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/wire/parameters.h"
#include "http/wire/target.h"
#include "ports/row_reader.h"
#include "questions/list_writer.h"

namespace dwell {

// One request for a list. Api::get_list() asks it; what differs between lists is here.
class ListQuestion {
 public:
  virtual ~ListQuestion() = default;

  // What must be the same in every request for a page of the same list.
  virtual std::string filter() const = 0;
  // Where the last page ended, as bytes of a cursor; and how to go on there. False: it is no place.
  virtual std::string place() const = 0;
  virtual bool go_on(std::string_view place) = 0;

  // An answer: its beginning, pages of up to `limit` items, and its end. page() says whether more
  // items follow.
  virtual void begin(Representation representation, std::string& out) = 0;
  virtual boost::asio::awaitable<Result<bool>> page(RowReader& reader, std::size_t limit,
                                                    std::string& out) = 0;
  virtual void end(const std::optional<std::string>& next, std::string& out) = 0;
};

struct ListRoute {
  std::string_view name;  // as in Route
  std::vector<std::string_view> pattern;
  // Takes the parameters of its own; what is wrong with them is refused there.
  std::shared_ptr<ListQuestion> (*make)(Parameters& parameters, const Target& target,
                                        Timestamp now);
  bool is_streamed = false;    // without a limit the answer is the whole list, sent as it is read
  bool is_json_alone = false;  // the answer has no other form
};

std::shared_ptr<ListQuestion> timeline_question(Parameters& parameters, const Target& target,
                                                Timestamp now);
std::shared_ptr<ListQuestion> presence_question(Parameters& parameters, const Target& target,
                                                Timestamp now);

// Every list the API answers with.
inline std::vector<ListRoute> list_routes() {
  return {{"/timeline/{device}", {"timeline", ""}, timeline_question, true},
          {"/presence", {"presence"}, presence_question, false, true}};
}

}  // namespace dwell
