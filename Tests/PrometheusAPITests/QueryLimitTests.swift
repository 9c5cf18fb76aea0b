import CurlHTTP
import Instrumentation
import JSON
import MetricModel
import Runtime
import Testing
import WebFixture

@testable import PrometheusAPI

@Suite struct QueryLimitTests {
    @Test func queriesBeyondTheLimitWaitForTheirTurn() {
        let gate = QueryGate(limit: 1, registry: Registry())
        #expect(gate.enter(timeout: .seconds(1)))
        #expect(!gate.enter(timeout: .milliseconds(1)))
        gate.leave()
        #expect(gate.enter(timeout: .milliseconds(1)))
    }

    @Test func aTurnGivenBackGoesToOneThatWaits() throws {
        let gate = QueryGate(limit: 1, registry: Registry())
        #expect(gate.enter(timeout: .seconds(1)))
        let waiter = try WorkerThread("waiter") {
            #expect(gate.enter(timeout: .minutes(1)))
        }
        gate.leave()
        waiter.join()
        #expect(!gate.enter(timeout: .zero))
    }

    @Test func aClosedGateSendsEverybodyAway() throws {
        let gate = QueryGate(limit: 1, registry: Registry())
        #expect(gate.enter(timeout: .seconds(1)))
        let waiter = try WorkerThread("waiter") {
            #expect(!gate.enter(timeout: .minutes(60)))
        }
        gate.close()
        waiter.join()
        gate.leave()
        #expect(!gate.enter(timeout: .minutes(60)))
    }

    @Test func longListsOfAlternativesNeedNoRegularExpression() throws {
        let fixture = try WebFixture()
        try fixture.append(["__name__": "m", "pod": "web-7d9f.x-9999"], [1])
        try fixture.append(["__name__": "m", "pod": "other"], [1])
        let pods = (0..<10_000).map { "web-7d9f\\\\.x-\($0)" }.joined(separator: "|")
        let response = try fixture.send(
            "/api/v1/query", method: "POST", headers: [("Content-Type", "application/x-www-form-urlencoded")],
            body: "time=10&query=m{pod%3D~%22\(pods)%22}")
        let text = String(decoding: response.body, as: UTF8.self)
        #expect(response.status == 200, "\(text.prefix(300))")
        #expect(text.contains("web-7d9f.x-9999") && !text.contains("other"))
    }

    @Test(arguments: [
        Array(repeating: "m", count: 1000).joined(separator: " or "),
        String(repeating: "(", count: 200) + "m" + String(repeating: ")", count: 200),
        Array(repeating: "m", count: 1000).joined(separator: " + "),
    ])
    func generatedExpressionsAreEvaluated(query: String) throws {
        let fixture = try WebFixture()
        try fixture.append(["__name__": "m"], [1])
        let response = try fixture.send(
            "/api/v1/query", method: "POST", headers: [("Content-Type", "application/x-www-form-urlencoded")],
            body: "time=10&query=" + query.replacing("+", with: "%2B"))
        #expect(response.status == 200)
        #expect(try JSON(parsing: response.body)["data"]?["result"]?.elements?.count == 1)
    }
}
