// SPDX-License-Identifier: MIT
module sysgenid

go 1.19
