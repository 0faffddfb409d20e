"""Answers as text: tables for people, JSON and CSV for programs. Pure: values in, text out."""
