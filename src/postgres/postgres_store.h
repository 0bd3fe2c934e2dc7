#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "ports/row_counts.h"
#include "ports/store_slices.h"
#include "postgres/connection.h"
#include "postgres/row_batch.h"

namespace dwell {

// Stores rows in the table device_events_cleaned, with the positions in the same transaction. One
// thread at a time.
//
// Law: after commit() returned ok, positions() in any process gives those behind its slices. After
// any error but `unknown_outcome` nothing of it is stored. Of two stores that commit from one
// position, one wins and the other gets `lost_ownership`. After an error open another.
//
// Each commit counts what it did as if its changes were made one by one: an insert of a row that is
// there is absorbed, a retract that finds no row is a fault, or expired where retention has been.
// A commit that fails with `fatal` was refused for one of its rows: without that row it succeeds,
// and the store may be used on. That is also so where a trigger swallowed the row or made another
// one of it. Rows are written by a plain COPY; a batch that meets rows that are there, or a
// trigger, goes through a staging table, which tells what became of each row.
class PostgresStore {
 public:
  // Errors: those of PgConnection; invalid (the layout is not that of this release).
  static Result<std::unique_ptr<PostgresStore>> open(std::unique_ptr<PgConnection> database);

  // How far each partition is; `starts` where nothing of it was stored yet, which are kept then.
  Result<std::vector<StorePosition>> positions(std::span<const StorePosition> starts);
  // Rows and positions, together. Partitions that positions() gave, each at most once.
  Result<void> commit(std::span<const RowSlice> slices);

  // The same, of what was made ready before.
  Result<void> commit(const RowBatch& batch);

  // What the last commit did, if it succeeded.
  const RowCounts& last() const { return last_; }

 private:
  explicit PostgresStore(std::unique_ptr<PgConnection> database);

  Result<void> write(const RowBatch& batch);
  Result<void> hold_positions(const RowBatch& batch);
  Result<void> retract(const RowBatch& batch);
  Result<std::int64_t> retention_edge();
  Result<void> insert_rows(const RowBatch& batch);
  Failure not_kept(std::int64_t rows) const;
  Result<std::int64_t> copy_rows(const std::string& sql, std::span<const std::string_view> pieces);
  Result<void> insert_through_staging(const RowBatch& batch);
  Result<void> insert_staged(std::size_t part);
  Result<void> count(const RowBatch& batch);

  std::unique_ptr<PgConnection> database_;
  std::map<PartitionId, Offset> next_;  // as of the last commit
  std::vector<RowCounts> counts_;       // by part
  RowCounts last_;
  // Rows that are inserted behind a retract of the same row.
  struct LateRows {
    std::string copy;
    std::int64_t count = 0;
  };
  std::vector<LateRows> late_rows_;  // by part
  bool has_trigger_ = false;         // that may swallow or change rows; as of the last commit
};

// How many partitions of a topic have a position.
Result<std::int64_t> count_positions(PgConnection& database, const std::string& topic);

// The next offset of each of so many partitions of a topic, none where nothing of it was stored.
Result<std::vector<std::optional<Offset>>> stored_offsets(PgConnection& database,
                                                          const std::string& topic,
                                                          std::size_t partitions);

// Forgets how far a topic was read, so that stores begin at its start. Rows stay, and count as
// adopted from then on.
Result<void> forget_positions(PgConnection& database, const std::string& topic);

}  // namespace dwell
