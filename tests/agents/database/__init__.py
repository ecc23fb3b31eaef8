"""Tests of the database agent."""
