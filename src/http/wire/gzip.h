#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <zlib.h>

#include "http/wire/body_sink.h"

namespace dwell {

// Compresses a stream piece by piece (RFC 1952).
class Gzip {
 public:
  Gzip();

  // Appends what is ready of the compressed form to `out`; with `is_last` all of it.
  void add(std::string_view piece, bool is_last, std::string& out);

 private:
  struct End {
    void operator()(z_stream* stream) const {
      deflateEnd(stream);
      delete stream;
    }
  };
  std::unique_ptr<z_stream, End> stream_;
};

// Unpacks a compressed body while it comes in, and hands it on piece by piece: at most `most`
// bytes, however little they were compressed to. Borrows the sink.
class Gunzip final : public BodySink {
 public:
  Gunzip(BodySink& sink, std::size_t most);

  void add(std::string_view piece) override;
  std::size_t memory() const override;
  bool is_too_large() const override { return state_ == State::too_large; }

  // Once all pieces were added: whether they were one gzip stream, whole and with nothing behind
  // it.
  bool is_whole() const { return state_ == State::ended; }

 private:
  enum class State { reading, ended, damaged, too_large };
  struct End {
    void operator()(z_stream* stream) const {
      inflateEnd(stream);
      delete stream;
    }
  };

  State unpack();

  BodySink& sink_;
  std::size_t rest_;  // that may still come out
  State state_ = State::reading;
  std::unique_ptr<z_stream, End> stream_;
};

}  // namespace dwell
