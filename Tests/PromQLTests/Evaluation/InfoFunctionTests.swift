import Testing

@testable import PromQL

/// The metrics that `info` treats as info metrics.
@Suite struct InfoFunctionTests {
    private static let load = """
        load 5m
          requests{instance="i1", job="web", zone="a"} 4 5 6
          target_info{instance="i1", job="web", os="linux"} 1 1 1
          build_info{instance="i1", job="web", commit="c0ffee"} 1 1 1


        """

    @Test(arguments: [
        (
            "what is only excluded leaves everything called …_info",
            """
            eval instant at 5m info(requests, {__name__!="target_info"})
              requests{instance="i1", job="web", zone="a", commit="c0ffee"} 5
            """
        ),
        (
            "no info metric is left",
            """
            eval instant at 5m info(requests, {__name__!~".+_info"})
              requests{instance="i1", job="web", zone="a"} 5

            eval instant at 5m info(requests, {__name__!~".+_info", os=~".+"})
            """
        ),
        (
            "info metrics stay as they are, whatever else is asked for",
            """
            eval instant at 5m info(target_info, {shell=~".+"})
              target_info{instance="i1", job="web", os="linux"} 1

            eval instant at 5m info(target_info, {__name__!="build_info"})
              target_info{instance="i1", job="web", os="linux"} 1
            """
        ),
        (
            "an excluded one is a series like others",
            """
            eval instant at 5m info(build_info, {__name__!="build_info"})
              build_info{instance="i1", job="web", commit="c0ffee", os="linux"} 1
            """
        ),
        (
            "series with different identifying labels each find their own",
            """
            clear
            load 5m
              m{job="a"} 1 1
              m{instance="b"} 2 2
              m{job="c", instance="d"} 3 3
              m{other="e"} 4 4
              target_info{job="a", os="one"} 1 1
              target_info{instance="b", os="two"} 1 1
              target_info{job="c", instance="d", os="three"} 1 1
              target_info{job="a", instance="b", os="nobody"} 1 1

            eval instant at 5m info(m)
              m{job="a", os="one"} 1
              m{instance="b", os="two"} 2
              m{job="c", instance="d", os="three"} 3
              m{other="e"} 4
            """
        ),
    ])
    func script(name: String, evals: String) {
        let report = PromQLScript(Self.load + evals, name: name).run()
        #expect(report.isSuccess, "\(report.failures.map(\.description).joined(separator: "\n"))")
        #expect(report.total > 0)
    }
}
