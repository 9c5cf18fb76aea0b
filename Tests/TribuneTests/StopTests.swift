import CurlHTTP
import Glibc
import Runtime
import TestSupport
import Testing

@Suite struct StopTests {
    /// Sorts 3600 values at each of 3600 steps.
    private static let heavy =
        "/api/v1/query_range?query=quantile_over_time(0.5,vector(time())%5B1h:1s%5D)&start=0&end=3600&step=1"

    @Test func aStopDoesNotWaitForQueries() throws {
        let tribune = try RunningTribune(
            ["prometheus.yml": "global: {scrape_interval: 1h}\n"], config: "prometheus.yml")
        let clients = (0..<20).map { _ in RawHTTPClient(port: tribune.port) }
        for client in clients { client.send("GET \(Self.heavy) HTTP/1.1\r\nHost: x\r\n\r\n") }
        let areRunning = try Loopback.eventually {
            String(decoding: try tribune.get("/metrics").body, as: UTF8.self).contains("\ntribune_queries_running 20\n")
        }
        #expect(areRunning)
        // They would take minutes to finish.
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        for client in clients {
            if let answer = client.answer() { #expect(answer.status == 499) }
        }
    }
}
