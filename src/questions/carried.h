#pragma once

#include <span>
#include <string>

#include "ports/row_reader.h"
#include "questions/stays.h"

namespace dwell {

// Gives a fold the rows that a scan has carried, newest first, and reads as many older ones as it
// needs: where the newest are of one type, back to the head of their run. Errors: those of the
// view.
boost::asio::awaitable<Result<void>> carry_in(RowView& view, const std::string& device,
                                              std::span<const Row> newest_first, StayFold& fold);

// What a device is just before `start`, ready for the rows from there on. Errors: those of the
// reader.
boost::asio::awaitable<Result<StayFold>> carried_until(RowReader& reader, const std::string& device,
                                                       Timestamp start);

}  // namespace dwell
