// A slope that a few disturbed runs do not decide: the median of the slopes of all pairs of points
// with different x (Theil 1950, Sen 1968), with Sen's 95 % interval from the distribution of
// Kendall's S; ties in x, that is repetitions of one dose, are allowed for.
#pragma once

#include <vector>

namespace kbench::e2e {

// A number with its 95 % interval.
struct Measured {
  double value = 0;
  double low = 0;
  double high = 0;
};

struct Point {
  double x = 0;
  double y = 0;
};

// All zero for points that all have one x.
Measured TheilSen(const std::vector<Point>& points);

// The median, with the interval between the order statistics that covers it 95 times in 100 or, of
// few values, as often as any can.
Measured MedianOf(std::vector<double> values);

}  // namespace kbench::e2e
