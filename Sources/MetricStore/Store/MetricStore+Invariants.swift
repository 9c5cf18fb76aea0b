/// Call it while no thread writes to any lane.
extension MetricStore: InvariantChecking {
    package var brokenInvariants: [String] {
        core.catalog.read { catalog in
            var report = InvariantReport()
            report.add("index", catalog.index.brokenInvariants)
            for lane in catalog.lanes.values {
                report.add("lane \(lane.name)", lane.brokenInvariants)
                report.add("lane \(lane.name)", lane.brokenInvariants(against: catalog.index))
            }
            return report.broken
        }
    }
}
