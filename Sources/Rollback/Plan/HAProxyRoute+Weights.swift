extension HAProxyRoute {
    /// Weights per server that give each side its share of the traffic; `nil` if HAProxy's 0...256 cannot express it.
    package func weights(for split: TrafficSplit) -> (stable: Int, candidate: Int)? {
        let stable = split.stable * candidate.count
        let candidate = split.candidate * self.stable.count
        if max(stable, candidate) <= 256 { return (stable, candidate) }
        var (divisor, rest) = (stable, candidate)
        while rest != 0 { (divisor, rest) = (rest, divisor % rest) }
        let reduced = (stable: stable / divisor, candidate: candidate / divisor)
        return max(reduced.stable, reduced.candidate) <= 256 ? reduced : nil
    }
}
