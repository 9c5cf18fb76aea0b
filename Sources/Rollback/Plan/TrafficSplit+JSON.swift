package import JSON

extension TrafficSplit {
    package var json: JSON { ["stable": .integer(Int64(stable)), "candidate": .integer(Int64(candidate))] }
}
