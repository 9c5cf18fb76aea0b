import CurlHTTP
import JSON
import MetricModel
import TestSupport
import Testing
import WebFixture

@testable import PrometheusAPI

@Suite struct AdministrationTests {
    @Test func theAPINeedsItsFlag() throws {
        let fixture = try WebFixture()
        for path in ["delete_series?match[]=m", "clean_tombstones", "snapshot"] {
            let response = try fixture.send("/api/v1/admin/tsdb/\(path)", method: "POST")
            #expect(response.status == 500)
            let body = try JSON(parsing: response.body)
            #expect(body["errorType"]?.text == "unavailable" && body["error"]?.text == "admin APIs disabled")
        }
        #expect(try fixture.send("/api/v1/admin/tsdb/snapshot").status == 405)
    }

    @Test func seriesAreDeleted() throws {
        let fixture = try WebFixture({ $0.enablesAdministration = true })
        try fixture.append(["__name__": "m", "a": "1"], [1, 2, 3])
        try fixture.append(["__name__": "m", "a": "2"], [1, 2, 3])
        let path = "/api/v1/admin/tsdb/delete_series"
        let response = try fixture.send("\(path)?match[]=m%7Ba=%221%22%7D&start=0", method: "PUT")
        #expect(response.status == 204 && response.body.isEmpty)
        let left = try JSON(parsing: try fixture.send("/api/v1/query?query=m&time=20").body)
        #expect(left["data"]?["result"]?.elements?.map { $0["metric"]?["a"]?.text } == ["2"])
        let series = try JSON(parsing: try fixture.send("/api/v1/series?match[]=m").body)
        #expect(series["data"]?.elements?.count == 1)
        for (query, message) in [
            ("", "no match[] parameter provided"), ("?match[]=", "invalid parameter \"match[]\""),
            ("?match[]=m&start=x", "invalid parameter \"start\""), ("?match[]=%7B%7D", "match[]"),
        ] {
            let refused = try fixture.send(path + query, method: "POST")
            #expect(refused.status == 400)
            let error = try JSON(parsing: refused.body)["error"]?.text ?? ""
            #expect(error.contains(message), "\(error)")
        }
        #expect(try fixture.send("/api/v1/admin/tsdb/clean_tombstones", method: "POST").status == 204)
    }

    @Test func copiesNeedADirectory() throws {
        let directory = TemporaryDirectory()
        let fixture = try WebFixture({
            $0.enablesAdministration = true
            $0.snapshotDirectory = directory.file("snapshots")
        })
        // The fixture's store is in memory.
        let response = try fixture.send("/api/v1/admin/tsdb/snapshot", method: "POST")
        #expect(response.status == 500)
        #expect(
            try JSON(parsing: response.body)["error"]?.text == "create snapshot: a store in memory has no files")
        #expect(try fixture.send("/api/v1/admin/tsdb/snapshot?skip_head=maybe", method: "POST").status == 400)
    }
}
