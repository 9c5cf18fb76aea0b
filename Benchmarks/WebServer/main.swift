// Serves fixed responses until standard input ends, then prints the processor time each request took.
//
// Benchmarks/WebServer/run starts it and sends requests with wrk.

import Glibc
import Runtime
import Synchronization
import WebServer

Signals.block([])
let requests = Atomic<Int>(0)
let large = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
let small = Array(#"{"status":"success","data":{"resultType":"vector","result":[]}}"#.utf8)
var configuration = HTTPServerConfiguration()
configuration.workers = 8

func respond(_ request: HTTPServerRequest) -> HTTPServerResponse {
    requests.wrappingAdd(1, ordering: .relaxed)
    return HTTPServerResponse(
        status: 200, headers: [("Content-Type", "application/json")], body: request.path == "/large" ? large : small)
}

func processorMicroseconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6
        + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
}

let server = try HTTPServer(
    configuration, probe: { $0.path == "/probe" ? respond($0) : nil }, handler: { respond($0) })
let line = Array("\(server.port)\n".utf8)
_ = write(1, line, line.count)
let before = processorMicroseconds()
while readLine() != nil {}
let spent = processorMicroseconds() - before
server.stop()
let count = requests.load(ordering: .relaxed)
let perRequest = (spent / Double(max(count, 1)) * 100).rounded() / 100
print("\(count) requests, \(perRequest) µs of processor time each")
