// Why a request waited, where the parts say only where: a wait is laid over what the client's
// thread and the connection were doing at the time.
//
//   wait              before it was started: the window was full, or the generator late
//   client_work       encoding, handing over, decoding
//   client_queueing   its answer was there, and the worker was at something else
//   client_stack      the kernel's send path, waking up, copying
//   backlog           it stood behind earlier bytes of its own connection: the socket was full, or
//                     the packets of the request before it had not left yet. Who limits the
//                     connection is to blame: the link, the peer's window, the server
//   network           the path: serialisation, queues, retransmission
//   server_queueing   in the server, behind other requests (its residence beyond its service time)
//   server_service    what the server took for it by the gap rule
//
// They sum to the response time exactly. "server" stands undivided where no packets on its host
// tell the service time, "network+server" where the two are not separated. (attribution method,
// section 4.2; docs/measurement.md, "Causes".)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/evidence/joined_sample.h"
#include "analysis/split/boundaries.h"

namespace kbench::analysis {

// Causes need both client edges, and the instants at which the worker began to look.
bool TellsCauses(const std::vector<Joined>& usable, Boundaries b);

std::vector<std::string> CauseNames(Boundaries b);
// In the order of CauseNames().
std::vector<int64_t> CausesOf(const Joined& request, Boundaries b);

}  // namespace kbench::analysis
