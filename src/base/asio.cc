// The parts of Boost.Asio and Boost.Beast that are no templates, compiled once
// (BOOST_ASIO_SEPARATE_COMPILATION and its like, set for all files in CMakeLists.txt).
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
