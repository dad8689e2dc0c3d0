module github.com/xuangate/xuangate

go 1.26
