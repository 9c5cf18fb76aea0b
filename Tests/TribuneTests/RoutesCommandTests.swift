import JSON
import Runtime
import TestSupport
import Testing

@Suite struct RoutesCommandTests {
    private let directory = TemporaryDirectory()

    private func plan(_ readings: String...) -> String {
        let routes = readings.enumerated().map { index, reading in
            directory.write(reading, to: "r\(index)")
            return "    - exec: {shift: [\"true\"], read: [cat, \(directory.file("r\(index)"))]}"
        }
        return directory.write(
            "plan: shop\nstages: [100]\nservices:\n- name: cart\n  routes:\n" + routes.joined(separator: "\n") + "\n",
            to: "plan.yml")
    }

    @Test func fitRoutesEndWithZero() throws {
        let result = try TribuneProgram.run(
            [
                "routes", "test",
                plan(#"{"stable": 90, "candidate": 10, "stable_healthy": true, "candidate_healthy": false}"#),
            ])
        #expect(result.exit == .code(0), "\(result.errors)")
        #expect(
            result.output
                == "OK: shop/cart: exec true: stable 90 %, candidate 10 %; stable healthy, candidate unhealthy (reported by the router)\n"
        )
    }

    @Test(
        arguments: [
            (#"{"stable": 90, "candidate": 10}"#, "stable not verified (not reported by the router)"),
            (#"{"stable": 90, "candidate": 10, "stable_healthy": false}"#, "stable unhealthy (reported by the router)"),
            (#"{"stable": 0, "candidate": 10, "stable_healthy": true}"#, "no traffic split"),
            (#"{"stable": 90}"#, "the numbers \"stable\" and"),
        ])
    func routesThatARollbackCouldNotUseEndWithOne(reading: String, words: String) throws {
        let good = #"{"stable": 90, "candidate": 10, "stable_healthy": true}"#
        let result = try TribuneProgram.run(["routes", "test", plan(good, reading)])
        #expect(result.exit == .code(1))
        let lines = result.output.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("OK: shop/cart: ") == true)
        #expect(lines.last?.hasPrefix("FAILED: shop/cart: ") == true)
        #expect(lines.last?.contains(words) == true, "\(result.output)")
    }

    @Test func everythingIsThereAsJSON() throws {
        let path = plan(#"{"stable": 90, "candidate": 10, "stable_healthy": true, "candidate_requests": 7}"#)
        let result = try TribuneProgram.run(["routes", "test", "--json", path])
        let reading = try JSON(parsing: result.output).elements?.first
        #expect(reading?["fit"] == true)
        #expect(reading?["candidate"]?.integer == 10)
        #expect(reading?["candidate_requests"]?.integer == 7)
    }

    @Test func aPlanThatCannotBeReadIsToldWithItsPlace() throws {
        let result = try TribuneProgram.run(["routes", "test", directory.write("plan: x\nservices: []\n", to: "p.yml")])
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("p.yml:1:1: services: a plan has 1 to 64 services"))
    }
}
