"""The neural correlation function (NCF): its field over directions, its KKT points, and Clarke's gradient."""
