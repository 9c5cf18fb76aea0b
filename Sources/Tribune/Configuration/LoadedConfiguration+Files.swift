internal import Runtime
internal import Scraper

extension LoadedConfiguration {
    /// The files that this configuration was read from, for the record.
    ///
    /// - Parameter main: the file of `--config.file`.
    func files(_ main: String) -> [String] {
        let patterns = prometheus.ruleFiles.flatMap { Paths.existing($0) } + file.plans.flatMap { Paths.matching($0) }
        return [main, file.prometheus] + (file.alertmanager.map { [$0] } ?? []) + (file.access.map { [$0] } ?? [])
            + (file.onCall.map { [$0] } ?? []) + patterns
    }
}
