# The transports of the agent: all that touches sockets and rings, and nothing of grpc.
kbench_library(kbench_transport
  SOURCES epoll_transport.cc flow_socket.cc kernel_stamps.cc null_transport.cc send_queue.cc
          socket_flows.cc socket_transport.cc transport.cc uring_ring.cc uring_transport.cc
  DEPS kbench_base kbench_kinetic PkgConfig::LIBURING)
