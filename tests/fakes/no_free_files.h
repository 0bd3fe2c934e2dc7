#pragma once

#include <fmt/format.h>
#include <string>
#include <sys/resource.h>

namespace dwell {

// While this lives, the process can open no file ("Too many open files"); what is open stays open.
class NoFreeFiles {
 public:
  NoFreeFiles() {
    // The sanitizer opens a pipe when it checks an object of a class for the first time: it has to
    // know the classes that write a message before no pipe can be opened.
    message_ = fmt::format("{}: {}", "a message", 1);
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoFreeFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoFreeFiles(const NoFreeFiles&) = delete;
  NoFreeFiles& operator=(const NoFreeFiles&) = delete;

 private:
  std::string message_;
  rlimit before_{};
};

}  // namespace dwell
