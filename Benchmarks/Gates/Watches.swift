import DeploymentGates
import SyntheticDeployments

/// Prints how often sequential watches are right, by traffic and time.
func printWatches(each: Int, seed: UInt64) {
    print(
        "Watches of 600 s, 20 looks, \(each) identical deployments and as many worse ones, seed \(seed); Wilson's 95 % limits."
    )
    print("An undecided deployment is wrong in the columns of all.")
    let times = [150.0, 300, 600]
    var details: [String] = []
    for (title, common, rates) in [
        ("Half with common, half with separate disturbances", 0.5, [1, 3.3, 10, 33, 100, 330]),
        ("Common disturbances", 1.0, [10, 100]), ("Separate disturbances", 0.0, [10, 100]),
    ] {
        print("\n\(title):\n")
        print(
            row(
                ["requests/s per version"] + times.map { "right within \(Int($0)) s, of all" } + [
                    "right of the decided", "identical not failed", "worse not passed",
                ]))
        print("|" + String(repeating: "---:|", count: times.count + 4))
        for rate in rates {
            let measured = WatchRate(rate: rate, common: common, each: each, seed: seed)
            print(
                row(
                    ["\(rate)"] + times.map { text(measured.correct(within: $0)) } + [
                        text(measured.correctOfDecided(within: 600)), text(measured.identicalNotFailed),
                        text(measured.worseNotPassed),
                    ]))
            for kind in SyntheticWatch.Kind.allCases {
                let counts = GateVerdict.allCases.map { "\($0.rawValue) \(measured.count(kind, $0))" }
                details.append("\(title), \(rate) \(kind.rawValue): \(counts.joined(separator: ", "))")
            }
        }
    }
    print("\n" + details.joined(separator: "\n"))
}
